// More operations in one transaction than etcd takes in one list: it counts those of a transaction within a transaction apart.
//
// Of its limit for a transaction it takes off, for those within, the length of the longest of the outer lists
// (checkTxnRequest in etcd's server/etcdserver/api/v3rpc/key.go).

import type { Operation } from '../store.ts';
import { MAX_TXN_OPERATIONS, tooManyOperations } from './conditional-txn.ts';

/** Etcd does nothing else while it runs a transaction: this many take it some milliseconds. */
const MAX_OPERATIONS = 6_000;
const MAX_LEVELS = 3;

/**
 * Returns operations that do the same, in the same order and at the same revision, as one list that a transaction with `compares`
 * conditions may have. Throws TOO_MANY_OPERATIONS where there are more than 6,000.
 */
export function nested(operations: readonly Operation[], compares: number): readonly Operation[] {
  for (let levels = 1; levels <= MAX_LEVELS && operations.length <= MAX_OPERATIONS; levels++) {
    const list = split(operations, compares, MAX_TXN_OPERATIONS, levels);
    if (list !== undefined) return list;
  }
  throw tooManyOperations('operations', operations.length);
}

/** Undefined: so many levels have no room for them. */
function split(
  operations: readonly Operation[],
  compares: number,
  limit: number,
  levels: number,
): readonly Operation[] | undefined {
  if (operations.length <= limit) return operations;
  if (levels === 1) return undefined;
  const outer = Math.max(compares, Math.floor(limit / levels));
  const size = Math.ceil(operations.length / outer);
  const groups: Operation[] = [];
  for (let i = 0; i < operations.length; i += size) {
    const success = split(operations.slice(i, i + size), 0, limit - outer, levels - 1);
    if (success === undefined) return undefined;
    groups.push({ kind: 'txn', compares: [], success, failure: [] });
  }
  return groups;
}
