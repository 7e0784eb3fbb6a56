// More operations in one transaction than etcd takes in one list: it counts those of a transaction within a transaction apart.
//
// Of its limit for a transaction it takes off, for those within, the length of the longest of the outer lists
// (checkTxnRequest in etcd's server/etcdserver/api/v3rpc/key.go).

import type { Operation } from '../store.ts';
import { MAX_TXN_OPERATIONS, tooManyOperations } from './conditional-txn.ts';

/** Splits the limit evenly between the outer list and those within. */
const OUTER = MAX_TXN_OPERATIONS / 2;

/**
 * Returns operations that do the same, in the same order and at the same revision, as one list that a transaction with `compares`
 * conditions may have. Throws TOO_MANY_OPERATIONS.
 */
export function nested(operations: readonly Operation[], compares: number): readonly Operation[] {
  if (operations.length <= MAX_TXN_OPERATIONS) return operations;
  const outer = Math.max(compares, OUTER);
  const inner = MAX_TXN_OPERATIONS - outer;
  const groups: Operation[] = [];
  for (let i = 0; i < operations.length; i += inner)
    groups.push({ kind: 'txn', compares: [], success: operations.slice(i, i + inner), failure: [] });
  if (inner === 0 || groups.length > outer) throw tooManyOperations('operations', operations.length);
  return groups;
}
