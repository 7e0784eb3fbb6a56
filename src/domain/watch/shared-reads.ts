// Reads that many watches ask for at once, when a gateway restarts and all its subscribers come back, done once for all of them.

import { keyId, singleKey } from '../key-range.ts';
import { type ListCursor, type ListPage, type ListQuery, list } from '../reading/list.ts';
import type { KeyValueStore, OperationOptions } from '../store.ts';
import { Gathering } from './gathering.ts';

/** A page of a snapshot. */
export interface SnapshotQuery extends Pick<ListQuery, 'range' | 'view'> {
  /** The page before's `next`; undefined: the first page, at the newest revision. */
  readonly cursor: ListCursor | undefined;
}

/** Reads for watches. */
export interface SharedReads {
  /** Returns a revision that the store had reached after this was called, or later. `near` is a key that the caller may read. */
  head(near: Uint8Array, options: OperationOptions): Promise<bigint>;
  /** Returns a page, read after this was called. Rejects as {@link list} does. */
  page(query: SnapshotQuery, options: OperationOptions): Promise<ListPage>;
}

const PAGE_SIZE = 1_000;
const FIRST_KEY = Uint8Array.of(0);

/** Creates the reads of one store. */
export function createSharedReads(store: KeyValueStore): SharedReads {
  const heads = new Gathering<bigint>();
  const pages = new Gathering<ListPage>();
  // What is read for many is not given up with one of them; the store bounds its time.
  const shared = { signal: new AbortController().signal };

  return {
    head(near, options) {
      const key = near.length === 0 ? FIRST_KEY : near;
      return heads.join(keyId(key), options, async () => {
        const { revision } = await store.read({ kind: 'read', range: singleKey(key), view: 'count' }, shared);
        return revision;
      });
    },

    page({ range, view, cursor }, options) {
      const place = [range.start, range.end, cursor?.after].map((key) => key && keyId(key));
      const id = JSON.stringify([view, String(cursor?.revision), ...place]);
      const query = { range, view, cursor, order: 'ascending', pageSize: PAGE_SIZE } as const;
      const freshness = { revision: 0n, serializable: false, minRevision: 0n };
      return pages.join(id, options, () => list(store, { ...query, ...freshness }, shared));
    },
  };
}
