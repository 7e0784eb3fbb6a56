// A watch as it is served: first the state, where it is asked for, then its changes, and a word now and then where there are none.

import { DomainError } from '../errors.ts';
import { spanOf } from '../key-range.ts';
import { revisionInFuture } from '../reading/fresh-read.ts';
import type { KeyValue, KeyValueStore, OperationOptions } from '../store.ts';
import { type Change, sizeOf } from './change.ts';
import { createSharedReads, type SharedReads } from './shared-reads.ts';
import type { Delivery, Subscription } from './subscription.ts';
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

/** The same; what is there at once comes at once, in the order of its revisions. */
export type BatchedWatch = (
  query: WatchQuery,
  options: OperationOptions,
) => AsyncGenerator<readonly WatchMessage[]>;

type Shown = Extract<Delivery, { readonly kind: 'events' | 'resync' }>;

/** A batch ends with the message with which it has so many, or so many bytes. */
const MAX_BATCH = 64;
const MAX_BATCH_BYTES = 64 * 1024;

/**
 * Creates what serves watches.
 *
 * A watch rejects with REVISION_IN_FUTURE; with REVISION_COMPACTED where it was to start at a revision that is gone; with
 * WATCH_TOO_SLOW; and as the store does.
 */
export function createBatchedWatch(hub: WatchHub, store: KeyValueStore): BatchedWatch {
  const reads = createSharedReads(store);

  return async function* watch(query, options) {
    const { view, isCoalescing, checkpointIntervalMs } = query;
    const head = await reads.head(spanOf(view.range).start, options);
    const start = await startOf(query, store, head, options);
    let nextRevision: bigint;
    if (start === 'snapshot') nextRevision = (yield* snapshot(reads, query, options)) + 1n;
    else {
      nextRevision = start;
      yield [{ kind: 'checkpoint', revision: start - 1n }];
    }

    using subscription = hub.subscribe({ view, nextRevision, isCoalescing }, head);
    let untilMs = hub.clock.now() + checkpointIntervalMs;
    for (;;) {
      const delivery = await subscription.pull(untilMs, options);
      switch (delivery.kind) {
        case 'events':
        case 'resync':
          yield batchFrom(delivery, subscription);
          break;
        case 'idle':
          untilMs = hub.clock.now() + checkpointIntervalMs;
          yield [{ kind: 'checkpoint', revision: delivery.revision }];
          break;
        case 'lost':
          yield [{ kind: 'resync', revision: subscription.nextRevision - 1n, changes: undefined }];
          subscription.rebase((yield* snapshot(reads, query, options)) + 1n);
          break;
        default:
          return delivery satisfies never;
      }
    }
  };
}

/** Returns a watch whose messages come one by one. */
export function oneByOne(watch: BatchedWatch): Watch {
  return async function* watchOneByOne(query, options) {
    for await (const batch of watch(query, options)) yield* batch;
  };
}

/** What is there already goes with the first. */
function batchFrom(first: Shown, subscription: Subscription): readonly Shown[] {
  const batch = [first];
  let bytes = bytesOf(first);
  while (batch.length < MAX_BATCH && bytes < MAX_BATCH_BYTES) {
    const next = subscription.poll();
    if (next?.kind !== 'events' && next?.kind !== 'resync') break;
    batch.push(next);
    bytes += bytesOf(next);
  }
  return batch;
}

function bytesOf({ changes }: Shown): number {
  return changes.reduce((sum, change) => sum + sizeOf(change), 0);
}

/** The first revision whose changes are sent, or that a snapshot comes first. */
async function startOf(
  { start, includeSnapshot, view }: WatchQuery,
  store: KeyValueStore,
  head: bigint,
  options: OperationOptions,
): Promise<bigint | 'snapshot'> {
  switch (start.kind) {
    case 'now':
      return includeSnapshot ? 'snapshot' : head + 1n;
    case 'revision': {
      const { revision } = start;
      if (revision > head + 1n) throw revisionInFuture(revision, head);
      if (includeSnapshot) return 'snapshot';
      // Whether a revision is gone shows in a read of it; who comes with a token is told by a resync instead.
      if (revision <= head)
        await store.read({ kind: 'read', range: view.range, view: 'count', limit: 1, revision }, options);
      return revision;
    }
    case 'resume':
      if (start.revision > head) throw revisionInFuture(start.revision, head);
      return start.isPartial ? 'snapshot' : start.revision + 1n;
  }
}

/** Sends the state, and returns its revision. Where it is compacted away half sent, begins again, behind a resync. */
async function* snapshot(
  reads: SharedReads,
  { view, isKeysOnly }: WatchQuery,
  options: OperationOptions,
): AsyncGenerator<readonly WatchMessage[], bigint> {
  const query = { range: spanOf(view.range), view: isKeysOnly ? 'keys' : 'full' } as const;
  for (;;) {
    let sent: bigint | undefined;
    try {
      let page = await reads.page({ ...query, cursor: undefined }, options);
      const { revision } = page;
      for (;;) {
        const kvs = view.selectKeys(page.kvs);
        if (kvs.length > 0) {
          sent = revision;
          yield [{ kind: 'snapshot', revision, kvs }];
        }
        if (page.next === undefined) break;
        page = await reads.page({ ...query, cursor: page.next }, options);
      }
      yield [
        { kind: 'synced', revision },
        { kind: 'checkpoint', revision },
      ];
      return revision;
    } catch (error) {
      if (!isCompacted(error)) throw error;
      if (sent !== undefined) yield [{ kind: 'resync', revision: sent, changes: undefined }];
    }
  }
}

function isCompacted(error: unknown): boolean {
  return error instanceof DomainError && error.reason === 'REVISION_COMPACTED';
}
