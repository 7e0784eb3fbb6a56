// What a watch sends before its changes: the state, where it is asked for, or from where it watches.

import { DomainError } from '../errors.ts';
import { spanOf } from '../key-range.ts';
import { revisionInFuture } from '../reading/fresh-read.ts';
import type { KeyValueStore, OperationOptions } from '../store.ts';
import type { SharedReads } from './shared-reads.ts';
import type { WatchMessage, WatchQuery } from './watch.ts';

/** What the state is read from. */
export interface StateDeps {
  readonly store: KeyValueStore;
  readonly reads: SharedReads;
}

/** Where the changes of a watch begin. */
export interface Beginning {
  readonly nextRevision: bigint;
  /** One that the store has reached. */
  readonly headRevision: bigint;
}

/** Sends what comes first, at once. Rejects as a watch does. */
export async function* beginning(
  deps: StateDeps,
  query: WatchQuery,
  options: OperationOptions,
): AsyncGenerator<readonly WatchMessage[], Beginning> {
  const headRevision = await deps.reads.head(spanOf(query.view.range).start, options);
  const start = await startOf(query, deps.store, headRevision, options);
  if (start === 'snapshot') return yield* snapshot(deps, query, options);
  yield [{ kind: 'checkpoint', revision: start - 1n }];
  return { nextRevision: start, headRevision };
}

/** Sends the state. Where it is compacted away half sent, begins again, behind a resync. */
export async function* snapshot(
  { reads }: Pick<StateDeps, 'reads'>,
  { view, isKeysOnly }: WatchQuery,
  options: OperationOptions,
): AsyncGenerator<readonly WatchMessage[], Beginning> {
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
      return { nextRevision: revision + 1n, headRevision: revision };
    } catch (error) {
      if (!isCompacted(error)) throw error;
      if (sent !== undefined) yield [{ kind: 'resync', revision: sent, changes: undefined }];
    }
  }
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

function isCompacted(error: unknown): boolean {
  return error instanceof DomainError && error.reason === 'REVISION_COMPACTED';
}
