// Writes that happen only while their conditions hold, and say which one did not.

import { DomainError } from '../errors.ts';
import { type Fence, fenceCompare, fenceLost, fenceRead, isFenceMet } from '../fence.ts';
import { type KeyRange, singleKey } from '../key-range.ts';
import type {
  AtRevision,
  Compare,
  KeyValue,
  KeyValueStore,
  Operation,
  OperationOptions,
  OperationResult,
  ReadOperation,
} from '../store.ts';
import { keyText } from './key-text.ts';

/** Etcd's default limit for the compares, and for the operations of each branch, of one transaction (--max-txn-ops). */
export const MAX_TXN_OPERATIONS = 128;

const MAX_INT64 = 2n ** 63n - 1n;

/** What must be true of the store for a write to happen. */
export interface Conditions {
  readonly fence?: Fence | undefined;
  readonly expectations?: readonly Expectation[];
}

/**
 * No key of the range was changed after `expectedRevision`: for a single key, its last change was then. 0n: there is no key.
 */
export interface Expectation {
  readonly range: KeyRange;
  readonly expectedRevision: bigint;
}

/**
 * Runs `operations` in one transaction, if all conditions hold.
 *
 * Rejects with FENCE_LOST or REVISION_MISMATCH where one does not, with TOO_MANY_OPERATIONS where they are more than
 * {@link MAX_TXN_OPERATIONS}, and as {@link KeyValueStore.txn} does.
 */
export async function conditionalTxn(
  store: KeyValueStore,
  operations: readonly Operation[],
  { fence, expectations = [] }: Conditions,
  options: OperationOptions,
): Promise<AtRevision<{ readonly results: readonly OperationResult[] }>> {
  const compares: Compare[] = expectations.map(expectationCompare);
  const explanations: ReadOperation[] = expectations.map(newestOf);
  if (fence !== undefined) {
    compares.push(fenceCompare(fence));
    explanations.push(fenceRead(fence));
  }
  if (compares.length > MAX_TXN_OPERATIONS) throw tooManyOperations('conditions', compares.length);

  const { succeeded, results, revision } = await store.txn(
    { kind: 'txn', compares, success: operations, failure: explanations },
    options,
  );
  if (succeeded) return { results, revision };

  const newest = results.map((result) => (result.kind === 'read' ? result.kvs[0] : undefined));
  if (fence !== undefined && !isFenceMet(fence, newest[expectations.length])) throw fenceLost(fence);
  for (const [i, expectation] of expectations.entries()) {
    const actual = newest[i];
    if (!isMet(expectation, actual)) throw revisionMismatch(expectation, actual);
  }
  // What is left is a range without any key, of which etcd says that it fulfils no compare: there was nothing to write.
  return { results: [], revision };
}

/** Returns the TOO_MANY_OPERATIONS error for `count` of `what`. */
export function tooManyOperations(what: string, count: number): DomainError {
  return new DomainError(
    'TOO_MANY_OPERATIONS',
    `${count} ${what} are more than the ${MAX_TXN_OPERATIONS} that etcd takes in one transaction`,
    { limit: String(MAX_TXN_OPERATIONS), count: String(count) },
  );
}

function expectationCompare({ range, expectedRevision }: Expectation): Compare {
  return range.kind === 'key'
    ? { range, comparison: 'equal', target: { kind: 'modRevision', number: expectedRevision } }
    : { range, comparison: 'less', target: { kind: 'modRevision', number: after(expectedRevision) } };
}

/** The next revision; there is none after the greatest. */
function after(revision: bigint): bigint {
  return revision === MAX_INT64 ? revision : revision + 1n;
}

function newestOf({ range }: Expectation): ReadOperation {
  return range.kind === 'key'
    ? { kind: 'read', range: singleKey(range.key), view: 'keys' }
    : { kind: 'read', range, view: 'keys', order: 'newest', limit: 1 };
}

function isMet({ range, expectedRevision }: Expectation, newest: KeyValue | undefined): boolean {
  const actual = newest?.modRevision ?? 0n;
  return range.kind === 'key' ? actual === expectedRevision : actual <= expectedRevision;
}

function revisionMismatch(
  { range, expectedRevision }: Expectation,
  newest: KeyValue | undefined,
): DomainError {
  const key = keyText(newest?.key ?? (range.kind === 'key' ? range.key : range.start));
  const actual = newest?.modRevision ?? 0n;
  const state = actual === 0n ? 'does not exist' : `was last changed at revision ${actual}`;
  return new DomainError(
    'REVISION_MISMATCH',
    `Key "${key}" ${state}, expected ${expectedRevision}; nothing was written. Read it again`,
    { key, expected_revision: String(expectedRevision), actual_revision: String(actual) },
  );
}
