// A watch as it is served: first the state, where it is asked for, then its changes, and a word now and then where there are none.

import { DomainError } from '../errors.ts';
import { type KeyRange, singleKey, spanOf } from '../key-range.ts';
import { revisionInFuture } from '../reading/fresh-read.ts';
import { list } from '../reading/list.ts';
import type { KeyValue, KeyValueStore, OperationOptions } from '../store.ts';
import type { Change } from './change.ts';
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
  | { readonly kind: 'events' | 'resync'; readonly revision: bigint; readonly changes: readonly Change[] };

const SNAPSHOT_PAGE = 1_000;
const FIRST_KEY = Uint8Array.of(0);

/**
 * Watches, until the caller stops. The first message comes at once.
 *
 * Rejects with REVISION_IN_FUTURE; with REVISION_COMPACTED where it was to start at a revision that is gone; with WATCH_TOO_SLOW; and
 * as the store does.
 */
export async function* watch(
  hub: WatchHub,
  store: KeyValueStore,
  query: WatchQuery,
  options: OperationOptions,
): AsyncGenerator<WatchMessage, never> {
  const { view, isCoalescing, checkpointIntervalMs } = query;
  const { revision: head } = await probe(store, view.range, 0n, options);
  let nextRevision: bigint;
  const place = await placeOf(query, store, head, options);
  if (place.kind === 'changes') {
    nextRevision = place.nextRevision;
    yield { kind: 'checkpoint', revision: nextRevision - 1n };
  } else {
    if (place.kind === 'resync') yield { kind: 'resync', revision: head, changes: [] };
    nextRevision = (yield* snapshot(store, query, options)) + 1n;
  }

  using subscription = hub.subscribe({ view, nextRevision, isCoalescing }, head);
  let untilMs = hub.clock.now() + checkpointIntervalMs;
  for (;;) {
    const delivery = await subscription.pull(untilMs, options);
    switch (delivery.kind) {
      case 'events':
      case 'resync':
        yield delivery;
        break;
      case 'idle':
        untilMs = hub.clock.now() + checkpointIntervalMs;
        yield { kind: 'checkpoint', revision: delivery.revision };
        break;
      case 'lost':
        yield { kind: 'resync', revision: subscription.nextRevision - 1n, changes: [] };
        subscription.rebase((yield* snapshot(store, query, options)) + 1n);
        break;
      default:
        return delivery satisfies never;
    }
  }
}

/** Where a watch begins: at changes, at a snapshot, or at a snapshot in place of changes that are gone. */
type Place =
  | { readonly kind: 'changes'; readonly nextRevision: bigint }
  | { readonly kind: 'snapshot' | 'resync' };

async function placeOf(
  { start, includeSnapshot, view }: WatchQuery,
  store: KeyValueStore,
  head: bigint,
  options: OperationOptions,
): Promise<Place> {
  switch (start.kind) {
    case 'now':
      return includeSnapshot ? { kind: 'snapshot' } : { kind: 'changes', nextRevision: head + 1n };
    case 'revision':
      if (start.revision > head + 1n) throw revisionInFuture(start.revision, head);
      if (includeSnapshot) return { kind: 'snapshot' };
      if (start.revision <= head) await probe(store, view.range, start.revision, options);
      return { kind: 'changes', nextRevision: start.revision };
    case 'resume': {
      if (start.revision > head) throw revisionInFuture(start.revision, head);
      if (start.isPartial) return { kind: 'snapshot' };
      const nextRevision = start.revision + 1n;
      const isThere = start.revision === head || (await isReadable(store, view.range, nextRevision, options));
      return isThere ? { kind: 'changes', nextRevision } : { kind: 'resync' };
    }
  }
}

/** Sends the state, and returns its revision. Where it is compacted away meanwhile, begins again, behind a resync. */
async function* snapshot(
  store: KeyValueStore,
  { view, isKeysOnly }: WatchQuery,
  options: OperationOptions,
): AsyncGenerator<WatchMessage, bigint> {
  const base = {
    range: spanOf(view.range),
    view: isKeysOnly ? 'keys' : 'full',
    order: 'ascending',
    pageSize: SNAPSHOT_PAGE,
    revision: 0n,
    serializable: false,
    minRevision: 0n,
  } as const;
  let revision = 0n;
  for (;;) {
    try {
      let page = await list(store, { ...base, cursor: undefined }, options);
      ({ revision } = page);
      for (;;) {
        const kvs = view.selectKeys(page.kvs);
        if (kvs.length > 0) yield { kind: 'snapshot', revision: page.revision, kvs };
        if (page.next === undefined) break;
        page = await list(store, { ...base, cursor: page.next }, options);
      }
      yield { kind: 'synced', revision };
      yield { kind: 'checkpoint', revision };
      return revision;
    } catch (error) {
      if (!isCompacted(error)) throw error;
      yield { kind: 'resync', revision, changes: [] };
    }
  }
}

/** Reads as little as there is to read: for the revision, or to learn whether the store still holds one. */
function probe(store: KeyValueStore, range: KeyRange, revision: bigint, options: OperationOptions) {
  const { start } = spanOf(range);
  const key = singleKey(start.length === 0 ? FIRST_KEY : start);
  return store.read({ kind: 'read', range: key, view: 'count', revision }, options);
}

async function isReadable(
  store: KeyValueStore,
  range: KeyRange,
  revision: bigint,
  options: OperationOptions,
): Promise<boolean> {
  try {
    await probe(store, range, revision, options);
    return true;
  } catch (error) {
    if (isCompacted(error)) return false;
    throw error;
  }
}

function isCompacted(error: unknown): boolean {
  return error instanceof DomainError && error.reason === 'REVISION_COMPACTED';
}
