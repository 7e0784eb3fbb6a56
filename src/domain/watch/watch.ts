// A watch as it is served: first the state, where it is asked for, then its changes, and a word now and then where there are none.

import type { KeyValue, KeyValueStore, OperationOptions } from '../store.ts';
import type { Change } from './change.ts';
import { OpenWatch, type Presenter } from './open-watch.ts';
import { createSharedReads } from './shared-reads.ts';
import type { View } from './view.ts';
import type { WatchHub } from './watch-hub.ts';

/** What is watched, and from where. */
export interface WatchQuery {
  readonly view: View;
  /**
   * `resume`: everything at or below `revision` was received; `isPartial`: of a snapshot that was not whole yet.
   */
  readonly start:
    | { readonly kind: 'now' }
    | { readonly kind: 'revision'; readonly revision: bigint }
    | { readonly kind: 'resume'; readonly revision: bigint; readonly isPartial: boolean };
  readonly includeSnapshot: boolean;
  readonly isKeysOnly: boolean;
  readonly isCoalescing: boolean;
  /** The longest silence. */
  readonly checkpointIntervalMs: number;
}

/** One message. Each is true at its revision: nothing at or below it is still to come, but the rest of a snapshot. */
export type WatchMessage =
  | { readonly kind: 'snapshot'; readonly revision: bigint; readonly kvs: readonly KeyValue[] }
  | { readonly kind: 'synced' | 'checkpoint'; readonly revision: bigint }
  | { readonly kind: 'events'; readonly revision: bigint; readonly changes: readonly Change[] }
  /** `changes` undefined: what changed is not known, and a snapshot follows that takes the place of everything. */
  | { readonly kind: 'resync'; readonly revision: bigint; readonly changes: readonly Change[] | undefined };

/** Serves watches, each until its caller stops. The first message comes at once. */
export type Watch = (query: WatchQuery, options: OperationOptions) => AsyncGenerator<WatchMessage>;

/**
 * Serves watches batch by batch: what is there at once comes at once, in the order of its revisions.
 *
 * A watch rejects with REVISION_IN_FUTURE; with REVISION_COMPACTED where it was to start at a revision that is gone; with
 * WATCH_TOO_SLOW; and as the store does.
 */
export type BatchedWatch = <T>(query: WatchQuery, presenter: Presenter<T>) => OpenWatch<T>;

/** Creates what serves watches. */
export function createBatchedWatch(hub: WatchHub, store: KeyValueStore): BatchedWatch {
  const deps = { hub, store, reads: createSharedReads(store) };
  return (query, presenter) => new OpenWatch(deps, query, presenter);
}

/** Returns a watch whose messages come one by one. */
export function oneByOne(watch: BatchedWatch): Watch {
  return async function* watchOneByOne(query, options) {
    for await (const batch of untilAborted(watch(query, UNCHANGED), options)) yield* batch;
  };
}

const UNCHANGED: Presenter<readonly WatchMessage[]> = {
  batch: (messages) => messages,
  failure: (error) => error,
};

/** Reads a watch, or something made of it, until the signal is aborted; rejects then with its reason. */
export async function* untilAborted<T>(
  watch: AsyncIterableIterator<T> & { return(): Promise<unknown> },
  { signal }: OperationOptions,
): AsyncGenerator<T> {
  const end = () => void watch.return();
  signal.addEventListener('abort', end);
  try {
    signal.throwIfAborted();
    for await (const batch of watch) yield batch;
    signal.throwIfAborted();
  } finally {
    signal.removeEventListener('abort', end);
    await watch.return();
  }
}
