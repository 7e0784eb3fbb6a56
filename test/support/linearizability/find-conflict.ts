// What to show of a history that has no order: of thousands of operations, the few that have none by themselves.

import { findOrder } from './find-order.ts';
import { type Operation, revisionOf } from './history.ts';
import { NEW_REGISTER, type Register } from './register.ts';

/** Steps of one search at most: there are many searches, and one that takes longer only leaves more to be read. */
const MAX_STEPS = 20_000;

/** Operations that follow one that all others come before or after. */
interface Suffix {
  /** Undefined: all are there. */
  readonly after: Operation | undefined;
  readonly register: Register;
  readonly operations: readonly Operation[];
}

/**
 * Returns the fewest operations that it finds of a history on one key, that has no order, which have none by themselves, in the order
 * of their calls. Where there is a write that tells what the key was, it is the first, and what came before it is left out. A write
 * is said to be of unknown outcome where only its value matters.
 */
export function findConflict(history: readonly Operation[]): readonly Operation[] {
  const suffix = shortestSuffix(firstConflict(history));
  const conflict = withoutWhatDoesNotMatter(suffix);
  const seen = new Set(conflict.flatMap(({ outcome }) => (outcome.kind === 'found' ? outcome.value : [])));
  const shown = conflict
    .filter((operation) => isKnown(operation) || (operation.kind === 'put' && seen.has(operation.value)))
    .toSorted((a, b) => a.calledAt - b.calledAt);
  return suffix.after === undefined ? shown : [suffix.after, ...shown];
}

/** The history up to the first return that leaves it without an order. */
function firstConflict(history: readonly Operation[]): readonly Operation[] {
  const returns = history.filter(isKnown).map(({ returnedAt }) => returnedAt);
  returns.sort((a, b) => a - b);
  const until = (place: number) => {
    const tick = returns[place] ?? 0;
    const begun = history.filter(({ calledAt }) => calledAt <= tick);
    return begun.flatMap((operation) => (operation.returnedAt > tick ? forget(operation) : operation));
  };
  let [low, high] = [0, returns.length - 1];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (hasNoOrder(until(middle))) high = middle;
    else low = middle + 1;
  }
  const least = until(low);
  return hasNoOrder(least) ? least : history;
}

/** What follows the last write that it can be left behind of. */
function shortestSuffix(history: readonly Operation[]): Suffix {
  const writes = history.filter((operation) => registerAfter(operation) !== undefined);
  for (const after of writes.toSorted((a, b) => Number(atRevision(b) - atRevision(a)))) {
    const register = registerAfter(after) ?? NEW_REGISTER;
    const operations = history.filter((operation) => operation !== after && mayFollow(operation, after));
    if (hasNoOrder(operations, register)) return { after, register, operations };
  }
  return { after: undefined, register: NEW_REGISTER, operations: history };
}

/** The register that a write leaves behind, where its outcome tells. */
function registerAfter(operation: Operation): Register | undefined {
  if (operation.kind === 'put' && operation.outcome.kind === 'written') {
    const { revision, version } = operation.outcome;
    return { value: operation.value, version, modRevision: revision, leastRevision: revision };
  }
  const { outcome } = operation;
  if (outcome.kind !== 'deleted' || !outcome.didExist) return undefined;
  return { ...NEW_REGISTER, leastRevision: outcome.revision };
}

/** Whether an operation must, or may, come after a write: what is of a lower revision comes before, unless it was called too late. */
function mayFollow(operation: Operation, write: Operation): boolean {
  if (!isKnown(operation) || operation.calledAt > write.returnedAt) return true;
  return atRevision(operation) > atRevision(write);
}

function atRevision(operation: Operation): bigint {
  return revisionOf(operation) ?? 0n;
}

/** Forgets outcomes, many at once and then fewer, as long as there is still no order. */
function withoutWhatDoesNotMatter({ register, operations }: Suffix): readonly Operation[] {
  let left = operations;
  for (let size = Math.ceil(left.length / 2); size > 0; size = Math.floor(size / 2)) {
    for (let from = 0; from < left.length; ) {
      const chosen = left.slice(from, from + size);
      const forgotten = chosen.flatMap(forget);
      const less = left.toSpliced(from, size, ...forgotten);
      const isTaken = chosen.some(isKnown) && hasNoOrder(less, register);
      if (isTaken) left = less;
      from += isTaken ? forgotten.length : size;
    }
  }
  return left;
}

function hasNoOrder(history: readonly Operation[], from: Register = NEW_REGISTER): boolean {
  return findOrder(history, { from, maxSteps: MAX_STEPS }).kind === 'notLinearizable';
}

/** What is left of an operation if nobody was told its outcome. It allows all that it allowed before, and more. */
function forget(operation: Operation): readonly Operation[] {
  const unknown = { outcome: { kind: 'unknown' }, returnedAt: Number.POSITIVE_INFINITY } as const;
  if (!isKnown(operation)) return [operation];
  if (operation.kind === 'put' && operation.outcome.kind === 'written') return [{ ...operation, ...unknown }];
  if (operation.kind === 'delete' && registerAfter(operation)) return [{ ...operation, ...unknown }];
  return [];
}

function isKnown({ outcome }: Operation): boolean {
  return outcome.kind !== 'unknown';
}
