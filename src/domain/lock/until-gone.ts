import { type KeyRange, keyId } from '../key-range.ts';
import type { OperationOptions, Upstream, WatchSource } from '../store.ts';

/** What to wait for. */
export interface Departure {
  /** All of the keys lie in it. */
  readonly range: KeyRange;
  readonly keys: readonly Uint8Array[];
  /** How many of the keys may stay. */
  readonly leave: number;
  /** The keys existed before it. */
  readonly fromRevision: bigint;
}

/**
 * Waits until no more than some of the keys are left, and returns a revision by which that is so; or the first to be looked at
 * again, where the changes from then on were compacted away. Rejects with what the watch failed with, or the signal's reason.
 */
export function untilGone(
  source: WatchSource,
  { range, keys, leave, fromRevision }: Departure,
  { signal }: OperationOptions,
): Promise<bigint> {
  const left = new Set(keys.map(keyId));
  return new Promise((resolve, reject) => {
    let upstream: Upstream | undefined;
    let isOver = false;
    function end(settle: () => void): void {
      isOver = true;
      signal.removeEventListener('abort', abort);
      upstream?.close();
      settle();
    }
    function abort(): void {
      end(() => reject(signal.reason));
    }
    if (signal.aborted) {
      abort();
      return;
    }
    signal.addEventListener('abort', abort, { once: true });
    upstream = source.open(
      { range, fromRevision },
      {
        events(revision, events) {
          for (const event of events) if (event.kind === 'delete') left.delete(keyId(event.key));
          if (left.size <= leave) end(() => resolve(revision));
        },
        progress() {},
        compacted: () => end(() => resolve(fromRevision)),
        failed: (error) => end(() => reject(error)),
      },
    );
    if (isOver) upstream.close();
  });
}
