import { singleKey } from '../key-range.ts';
import type { KeyValue, KeyValueStore, OperationOptions } from '../store.ts';

/** Keys of one transaction; their values together must stay below what one answer may hold. */
const KEYS_AT_ONCE = 100;

/**
 * Reads many single keys. Returns them in the order asked for; undefined where there is none.
 *
 * @param revision at which to read them. Default: each as it is when it is read, at one revision up to 100 of them.
 */
export async function readKeys(
  store: KeyValueStore,
  keys: readonly Uint8Array[],
  options: OperationOptions,
  revision = 0n,
): Promise<readonly (KeyValue | undefined)[]> {
  const found: (KeyValue | undefined)[] = [];
  for (let i = 0; i < keys.length; i += KEYS_AT_ONCE) {
    const success = keys
      .slice(i, i + KEYS_AT_ONCE)
      .map((key) => ({ kind: 'read', range: singleKey(key), revision }) as const);
    const { results } = await store.txn({ kind: 'txn', compares: [], success, failure: [] }, options);
    for (const result of results) found.push(result.kind === 'read' ? result.kvs[0] : undefined);
  }
  return found;
}
