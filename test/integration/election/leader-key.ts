import { leaderKey } from '../../../src/domain/fence.ts';
import { singleKey } from '../../../src/domain/key-range.ts';
import type { KeyValue, KeyValueStore } from '../../../src/domain/store.ts';

const { signal } = new AbortController();

/** Reads the key of an election's leader; undefined: nobody leads. */
export async function readLeader(store: KeyValueStore, election: string): Promise<KeyValue | undefined> {
  const range = singleKey(leaderKey(election));
  return (await store.read({ kind: 'read', range }, { signal })).kvs[0];
}

/** Ends a term as no rpc does: the leader keeps its lease. */
export async function deleteLeader(store: KeyValueStore, election: string): Promise<void> {
  const success = [{ kind: 'delete', range: singleKey(leaderKey(election)) }] as const;
  await store.txn({ kind: 'txn', compares: [], success, failure: [] }, { signal });
}
