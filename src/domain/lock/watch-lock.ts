// A lock, shown again whenever it changes.

import { keyId } from '../key-range.ts';
import type { KeyValue, OperationOptions } from '../store.ts';
import { isPut } from '../watch/change.ts';
import { createView } from '../watch/view.ts';
import type { Watch } from '../watch/watch.ts';
import { lockRange } from './lock-keys.ts';
import { type LockState, lockState } from './lock-state.ts';

/** The lock at a revision, or that nothing at or below it is still to come. */
export type LockWatchMessage =
  | { readonly kind: 'snapshot'; readonly revision: bigint; readonly lock: LockState }
  | { readonly kind: 'checkpoint'; readonly revision: bigint };

/** Shows a lock until its caller stops. Rejects as {@link Watch} does. */
export async function* watchLock(
  watch: Watch,
  { name, checkpointIntervalMs }: { readonly name: string; readonly checkpointIntervalMs: number },
  options: OperationOptions,
): AsyncGenerator<LockWatchMessage> {
  const query = {
    view: createView({ range: lockRange(name) }),
    start: { kind: 'now' },
    includeSnapshot: true,
    isKeysOnly: false,
    isCoalescing: true,
    checkpointIntervalMs,
  } as const;
  let kvs = new Map<string, KeyValue>();
  const snapshot = (revision: bigint): LockWatchMessage => ({
    kind: 'snapshot',
    revision,
    lock: lockState(name, kvs.values()),
  });
  for await (const message of watch(query, options)) {
    const { revision } = message;
    switch (message.kind) {
      case 'snapshot':
        for (const kv of message.kvs) kvs.set(keyId(kv.key), kv);
        break;
      case 'synced':
        yield snapshot(revision);
        break;
      case 'checkpoint':
        yield { kind: 'checkpoint', revision };
        break;
      case 'events':
      case 'resync':
        if (message.changes === undefined) {
          kvs = new Map();
          break;
        }
        for (const change of message.changes) {
          const { kv } = change;
          if (isPut(change)) kvs.set(keyId(kv.key), kv);
          else kvs.delete(keyId(kv.key));
        }
        yield snapshot(revision);
    }
  }
}
