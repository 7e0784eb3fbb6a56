import { randomUUID } from 'node:crypto';
import { prefixRange } from '../../../src/domain/key-range.ts';
import type { KeyValue, KeyValueStore, Operation } from '../../../src/domain/store.ts';
import { openEtcd } from '../../../src/etcd/open-etcd.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const CALL_TIMEOUT_MS = 15_000;
/** Etcd's own limit. */
const OPERATIONS_A_TXN = 128;

/** One key as etcd has it. */
export interface StoredKey {
  readonly key: string;
  readonly value: string;
  readonly modRevision: bigint;
}

/** Returns the name of an application that no other test has. */
export function applicationName(): string {
  return `app-${randomUUID()}`;
}

/** Reads all keys that begin with a text, and the revision at which it did: no gateway is asked. */
export async function readStored(
  store: KeyValueStore,
  prefix: string,
): Promise<{ readonly keys: readonly StoredKey[]; readonly revision: bigint }> {
  const range = prefixRange(encoder.encode(prefix));
  const { kvs, revision } = await store.read({ kind: 'read', range }, options());
  return { keys: kvs.map(storedKey), revision };
}

/** Reads the values, in the profile `default`, and the versions of an application, as etcd has them. */
export async function readApplication(
  store: KeyValueStore,
  application: string,
): Promise<{ readonly values: readonly StoredKey[]; readonly versions: readonly StoredKey[] }> {
  const values = await readStored(store, `/config/${application}/`);
  const versions = await readStored(store, `/concord/config/%2Fconfig/history/${application}/`);
  return { values: values.keys, versions: versions.keys };
}

/** Returns every key that configuration stands in, with the revision of its last write: what changes nothing leaves it as it is. */
export async function storedConfiguration({ endpoint }: TestEtcd): Promise<readonly string[]> {
  await using direct = openEtcd({ endpoints: [endpoint] });
  const found = await Promise.all(
    ['/config/', '/concord/config/'].map((prefix) => readStored(direct.store, prefix)),
  );
  return found.flatMap(({ keys }) => keys.map(({ key, modRevision }) => `${key}@${modRevision}`));
}

/** Writes keys as another etcd client would; a value of undefined deletes. Returns the last revision. */
export async function writeStored(
  store: KeyValueStore,
  values: Readonly<Record<string, string | undefined>>,
): Promise<bigint> {
  const operations = Object.entries(values).map(([name, value]): Operation => {
    const key = encoder.encode(name);
    return value === undefined
      ? { kind: 'delete', range: { kind: 'key', key } }
      : { kind: 'put', key, value: encoder.encode(value) };
  });
  let last = 0n;
  for (let i = 0; i < operations.length; i += OPERATIONS_A_TXN) {
    const success = operations.slice(i, i + OPERATIONS_A_TXN);
    const { revision } = await store.txn({ kind: 'txn', compares: [], success, failure: [] }, options());
    last = revision;
  }
  return last;
}

function storedKey({ key, value, modRevision }: KeyValue): StoredKey {
  return { key: decoder.decode(key), value: decoder.decode(value), modRevision };
}

function options(): { readonly signal: AbortSignal } {
  return { signal: AbortSignal.timeout(CALL_TIMEOUT_MS) };
}
