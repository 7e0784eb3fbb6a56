// The names directly under a parent, found by leaping over what lies below each of them.
//
// Keys are read in order, without values. Where a read shows that a name has keys below it, the next read starts behind all of
// them; where it shows many names without, the next reads more at once. What a read of neighbours cannot tell (whether a name
// that is a key has keys below it too, and whether a name met by a key below it is a key as well, listed earlier: "a", "a-b",
// "a/x" is their order) is asked in one transaction of single reads.

import {
  concatKeys,
  contains,
  type KeyRange,
  keyAfter,
  prefixEnd,
  prefixRange,
  singleKey,
  startsWith,
} from '../key-range.ts';
import { type Freshness, freshRead } from '../reading/fresh-read.ts';
import { pageTokenInvalid } from '../reading/list.ts';
import type { KeyValueStore, OperationOptions, ReadOperation } from '../store.ts';
import { MAX_TXN_OPERATIONS } from '../writing/conditional-txn.ts';

const MIN_READ = 16;

/** One name under a parent. */
export interface Child {
  readonly name: Uint8Array;
  /** Whether parent and name together are a key. */
  readonly isKey: boolean;
  /** Whether there are keys below it. */
  readonly hasChildren: boolean;
}

/** Where a listing goes on. */
export interface ChildrenCursor {
  readonly revision: bigint;
  /** The first key to look at. */
  readonly from: Uint8Array;
}

/** What to list. */
export interface ChildrenQuery extends Freshness {
  /** Empty for the root; else with or without the delimiter at its end. */
  readonly parent: Uint8Array;
  /** Not empty. */
  readonly delimiter: Uint8Array;
  /** 1 to 1000. */
  readonly pageSize: number;
  /** The revision of the first page; 0n: the newest. */
  readonly revision: bigint;
  readonly cursor: ChildrenCursor | undefined;
}

/** One page of names. */
export interface ChildrenPage {
  readonly revision: bigint;
  /** In the order of their first key. */
  readonly children: readonly Child[];
  readonly next: ChildrenCursor | undefined;
}

/** Reads one page of names. Rejects as {@link list} does. */
export async function listChildren(
  store: KeyValueStore,
  query: ChildrenQuery,
  options: OperationOptions,
): Promise<ChildrenPage> {
  const base = basePath(query.parent, query.delimiter);
  const end = prefixEnd(base);
  if (query.cursor !== undefined && !contains(prefixRange(base), query.cursor.from)) throw pageTokenInvalid();
  const children: Child[] = [];
  let revision = query.cursor?.revision ?? query.revision;
  let from: Uint8Array | undefined = query.cursor?.from ?? base;
  let limit = Math.min(MIN_READ, query.pageSize);

  while (from !== undefined && children.length < query.pageSize) {
    const range: KeyRange = { kind: 'range', start: from, end };
    const read: ReadOperation = { kind: 'read', range, view: 'keys', limit, revision };
    const answer = await freshRead((serializable) => store.read({ ...read, serializable }, options), query);
    if (revision === 0n) revision = answer.revision;

    const scan = namesIn(answer.kvs, base, query.delimiter, query.pageSize - children.length);
    children.push(
      ...(await complete(scan.names, base, query.delimiter, { ...query, revision }, store, options)),
    );
    from = scan.isFull || answer.more ? scan.next : undefined;
    limit = scan.isLeap ? MIN_READ : Math.min(limit * 4, MAX_TXN_OPERATIONS);
  }
  return { revision, children, next: from === undefined ? undefined : { revision, from } };
}

/** A name met in a read: by its own key, or by a key below it. */
interface MetName {
  readonly name: Uint8Array;
  readonly metBy: 'key' | 'child';
}

/** What the keys of one read tell. */
interface Scan {
  readonly names: readonly MetName[];
  /** Where to read on; undefined at the end of all keys. */
  readonly next: Uint8Array | undefined;
  /** Whether as many names were taken as were wanted, perhaps with keys left over. */
  readonly isFull: boolean;
  /** Whether `next` lies behind all keys below a name, rather than behind the last key read. */
  readonly isLeap: boolean;
}

/** Takes at most `most` names from keys in order. */
function namesIn(
  kvs: readonly { readonly key: Uint8Array }[],
  base: Uint8Array,
  delimiter: Uint8Array,
  most: number,
): Scan {
  const names: MetName[] = [];
  let next: Uint8Array | undefined;
  let below: Uint8Array | undefined;
  for (const { key } of kvs) {
    if (below !== undefined && startsWith(key, below)) continue;
    if (names.length === most) return { names, next, isFull: true, isLeap: below !== undefined };
    const at = indexOf(key, delimiter, base.length);
    below = at === -1 ? undefined : key.subarray(0, at + delimiter.length);
    next = below === undefined ? keyAfter(key) : prefixEnd(below);
    names.push(
      below === undefined
        ? { name: key.subarray(base.length), metBy: 'key' }
        : { name: key.subarray(base.length, at), metBy: 'child' },
    );
  }
  return { names, next, isFull: false, isLeap: below !== undefined };
}

/** Finds out of each name what the read that met it could not tell, and drops those that were met by their own key before. */
async function complete(
  names: readonly MetName[],
  base: Uint8Array,
  delimiter: Uint8Array,
  query: ChildrenQuery,
  store: KeyValueStore,
  options: OperationOptions,
): Promise<Child[]> {
  if (names.length === 0) return [];
  const children: Child[] = [];
  for (let i = 0; i < names.length; i += MAX_TXN_OPERATIONS) {
    const part = names.slice(i, i + MAX_TXN_OPERATIONS);
    // Below the root, what begins with the delimiter has the name "": no key is called so.
    const asked = part.filter(({ name }) => base.length + name.length > 0);
    const reads = asked.map(({ name, metBy }): ReadOperation => {
      const path = concatKeys(base, name);
      const range = metBy === 'key' ? prefixRange(concatKeys(path, delimiter)) : singleKey(path);
      return { kind: 'read', range, view: 'keys', limit: 1, revision: query.revision };
    });
    const answer = await freshRead((serializable) => {
      const success = reads.map((read) => ({ ...read, serializable }));
      return store.txn({ kind: 'txn', compares: [], success, failure: [] }, options);
    }, query);
    for (const each of part) {
      const { name, metBy } = each;
      const result = answer.results[asked.indexOf(each)];
      const exists = result?.kind === 'read' && result.kvs.length > 0;
      if (metBy === 'key') children.push({ name, isKey: true, hasChildren: exists });
      else if (!exists) children.push({ name, isKey: false, hasChildren: true });
    }
  }
  return children;
}

function basePath(parent: Uint8Array, delimiter: Uint8Array): Uint8Array {
  const ends =
    parent.length >= delimiter.length &&
    startsWith(parent.subarray(parent.length - delimiter.length), delimiter);
  return parent.length === 0 || ends ? parent : concatKeys(parent, delimiter);
}

function indexOf(key: Uint8Array, delimiter: Uint8Array, from: number): number {
  for (let i = from; i + delimiter.length <= key.length; i++) {
    if (startsWith(key.subarray(i, i + delimiter.length), delimiter)) return i;
  }
  return -1;
}
