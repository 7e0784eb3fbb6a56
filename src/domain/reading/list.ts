// Listing a range page by page, every page at the revision of the first.

import { DomainError } from '../errors.ts';
import { contains, type KeyRange, type KeySpan, keyAfter } from '../key-range.ts';
import type {
  AtRevision,
  KeyValue,
  KeyValueStore,
  OperationOptions,
  ReadOperation,
  ReadResult,
  View,
} from '../store.ts';
import { type Freshness, freshRead } from './fresh-read.ts';

/** A page ends before its keys and values exceed this, so that every client's default message limit (4 MiB) takes it. */
const MAX_PAGE_BYTES = 2 * 1024 * 1024;

/** The first read of a page asks for at most so many keys; how large they are decides how many the next may ask for. */
const FIRST_READ = 100;

/** Where a listing goes on. */
export interface ListCursor {
  /** The revision of every page. */
  readonly revision: bigint;
  /** The last key of the page before. */
  readonly after: Uint8Array;
  /** How many keys the whole range holds. */
  readonly totalSize: bigint;
}

/** What to list. */
export interface ListQuery extends Freshness {
  readonly range: KeySpan;
  readonly view: View;
  readonly order: 'ascending' | 'descending';
  /** 1 to 1000. */
  readonly pageSize: number;
  /** The revision of the first page; 0n: the newest. */
  readonly revision: bigint;
  readonly cursor: ListCursor | undefined;
}

/** One page. */
export interface ListPage {
  readonly revision: bigint;
  readonly kvs: readonly KeyValue[];
  readonly totalSize: bigint;
  readonly next: ListCursor | undefined;
}

/**
 * Reads one page of a listing.
 *
 * Rejects with PAGE_TOKEN_INVALID where the cursor lies outside the range; with REVISION_COMPACTED where the listing took longer than etcd keeps its revision: start over.
 */
export async function list(
  store: KeyValueStore,
  query: ListQuery,
  options: OperationOptions,
): Promise<ListPage> {
  const { cursor, view, pageSize } = query;
  if (cursor !== undefined && !contains(query.range, cursor.after)) throw pageTokenInvalid();
  if (view === 'count') {
    const answer = await readPart(store, query, query.range, query.revision, undefined, options);
    return { revision: readAt(query, answer), kvs: [], totalSize: answer.count, next: undefined };
  }

  const kvs: KeyValue[] = [];
  let bytes = 0;
  let revision = cursor?.revision ?? query.revision;
  let totalSize = cursor?.totalSize;
  let rest = cursor === undefined ? query.range : restOf(query, cursor.after);
  for (;;) {
    const limit = nextLimit(pageSize - kvs.length, bytes, kvs.length);
    const answer = await readPart(store, query, rest, revision, limit, options);
    if (revision === 0n) revision = answer.revision;
    totalSize ??= answer.count;
    for (const kv of answer.kvs) {
      const size = kv.key.length + kv.value.length;
      if (kvs.length > 0 && bytes + size > MAX_PAGE_BYTES) return page(true);
      kvs.push(kv);
      bytes += size;
    }
    if (!answer.more || kvs.length >= pageSize) return page(answer.more);
    rest = restOf(query, lastKey(kvs));
  }

  function page(more: boolean): ListPage {
    const total = totalSize ?? 0n;
    const next = more ? { revision, after: lastKey(kvs), totalSize: total } : undefined;
    return { revision, kvs, totalSize: total, next };
  }
}

/** Returns the PAGE_TOKEN_INVALID error of a listing that is to go on where it cannot be. */
export function pageTokenInvalid(): DomainError {
  return new DomainError(
    'PAGE_TOKEN_INVALID',
    'The page token was not made by this listing; repeat the arguments of its first page, or leave it out to start over',
  );
}

/** A read that etcd answers with more than this gateway takes in one message is done again for fewer keys. */
async function readPart(
  store: KeyValueStore,
  query: ListQuery,
  range: KeyRange,
  revision: bigint,
  limit: number | undefined,
  options: OperationOptions,
): Promise<AtRevision<ReadResult>> {
  const operation: ReadOperation = { kind: 'read', range, view: query.view, order: query.order, revision };
  let size = limit;
  for (;;) {
    const attempt = size === undefined ? operation : { ...operation, limit: size };
    try {
      return await freshRead((serializable) => store.read({ ...attempt, serializable }, options), query);
    } catch (error) {
      if (!isTooLarge(error) || size === undefined || size === 1) throw error;
      size = Math.ceil(size / 8);
    }
  }
}

function nextLimit(wanted: number, bytes: number, count: number): number {
  if (count === 0) return Math.min(wanted, FIRST_READ);
  const average = Math.max(1, bytes / count);
  return Math.min(wanted, Math.ceil((MAX_PAGE_BYTES - bytes) / average) + 1);
}

function restOf({ range, order }: ListQuery, after: Uint8Array): KeyRange {
  return order === 'ascending'
    ? { kind: 'range', start: keyAfter(after), end: range.end }
    : { kind: 'range', start: range.start, end: after };
}

function readAt(query: { readonly revision: bigint }, answer: { readonly revision: bigint }): bigint {
  return query.revision === 0n ? answer.revision : query.revision;
}

function lastKey(kvs: readonly KeyValue[]): Uint8Array {
  return kvs.at(-1)?.key ?? new Uint8Array();
}

function isTooLarge(error: unknown): boolean {
  return error instanceof DomainError && error.reason === 'RESPONSE_TOO_LARGE';
}
