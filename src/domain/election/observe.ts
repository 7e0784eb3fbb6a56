// Who leads an election, told again whenever that changes.

import { leaderKey } from '../fence.ts';
import { singleKey } from '../key-range.ts';
import type { KeyValue, OperationOptions } from '../store.ts';
import { type Change, isPut } from '../watch/change.ts';
import { createView } from '../watch/view.ts';
import type { Watch } from '../watch/watch.ts';
import { type Leader, readLeader } from './election-state.ts';

/** Who leads since a revision, nobody, or that nothing at or below a revision is still to come. */
export type ObserveMessage =
  | { readonly kind: 'leader'; readonly revision: bigint; readonly leader: Leader }
  | { readonly kind: 'vacant' | 'checkpoint'; readonly revision: bigint };

/** Tells until its caller stops. Rejects as {@link Watch} does. */
export async function* observe(
  watch: Watch,
  { name, checkpointIntervalMs }: { readonly name: string; readonly checkpointIntervalMs: number },
  options: OperationOptions,
): AsyncGenerator<ObserveMessage> {
  const query = {
    view: createView({ range: singleKey(leaderKey(name)) }),
    start: { kind: 'now' },
    includeSnapshot: true,
    isKeysOnly: false,
    isCoalescing: false,
    checkpointIntervalMs,
  } as const;
  let found: KeyValue | undefined;
  for await (const message of watch(query, options)) {
    const { revision } = message;
    switch (message.kind) {
      case 'snapshot':
        [found] = message.kvs;
        break;
      case 'synced':
        yield found === undefined ? { kind: 'vacant', revision } : ledBy(found, revision);
        found = undefined;
        break;
      case 'checkpoint':
        yield { kind: 'checkpoint', revision };
        break;
      case 'events':
      case 'resync':
        for (const change of message.changes ?? []) yield observed(change, revision);
    }
  }
}

function observed(change: Change, revision: bigint): ObserveMessage {
  return isPut(change) ? ledBy(change.kv, revision) : { kind: 'vacant', revision };
}

function ledBy(kv: KeyValue, revision: bigint): ObserveMessage {
  return { kind: 'leader', revision, leader: readLeader(kv) };
}
