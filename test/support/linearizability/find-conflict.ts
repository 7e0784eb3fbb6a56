import { findOrder } from './find-order.ts';
import type { Operation } from './history.ts';

/** Steps of one search at most: there are many searches, and one that takes longer only leaves more to be read. */
const MAX_STEPS = 20_000;

/**
 * Returns the fewest operations it finds of a history on one key, that has no order, which have none by themselves; those among them
 * whose values were seen but whose outcomes do not matter are of unknown outcome. They are in the order of their calls.
 */
export function findConflict(history: readonly Operation[]): readonly Operation[] {
  const conflict = withoutWhatDoesNotMatter(firstConflict(history));
  const seen = new Set(conflict.flatMap(({ outcome }) => (outcome.kind === 'found' ? outcome.value : [])));
  return conflict
    .filter((operation) => isKnown(operation) || (operation.kind === 'put' && seen.has(operation.value)))
    .toSorted((a, b) => a.calledAt - b.calledAt);
}

/** The history up to the first return that leaves it without an order. */
function firstConflict(history: readonly Operation[]): readonly Operation[] {
  const returns = history.filter(isKnown).map(({ returnedAt }) => returnedAt);
  returns.sort((a, b) => a - b);
  const until = (tick: number) =>
    history
      .filter(({ calledAt }) => calledAt <= tick)
      .flatMap((operation) => (operation.returnedAt > tick ? forget(operation) : operation));
  let [low, high] = [0, returns.length - 1];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (hasNoOrder(until(returns[middle] ?? 0))) high = middle;
    else low = middle + 1;
  }
  const least = until(returns[low] ?? 0);
  return hasNoOrder(least) ? least : history;
}

/** Forgets outcomes, many at once and then fewer, as long as there is still no order. */
function withoutWhatDoesNotMatter(history: readonly Operation[]): readonly Operation[] {
  let left = history;
  for (let size = Math.ceil(history.length / 2); ; size = Math.ceil(size / 2)) {
    for (let from = 0; from < left.length; ) {
      const forgotten = left.slice(from, from + size).flatMap(forget);
      const less = [...left.slice(0, from), ...forgotten, ...left.slice(from + size)];
      const isLess = less.filter(isKnown).length < left.filter(isKnown).length;
      if (isLess && hasNoOrder(less)) {
        left = less;
        from += forgotten.length;
      } else {
        from += size;
      }
    }
    if (size <= 1) return left;
  }
}

function hasNoOrder(history: readonly Operation[]): boolean {
  return findOrder(history, MAX_STEPS).kind === 'notLinearizable';
}

/** What is left of an operation if nobody was told its outcome. It allows all that it allowed before, and more. */
function forget(operation: Operation): readonly Operation[] {
  const { kind, outcome } = operation;
  const unknown = { outcome: { kind: 'unknown' }, returnedAt: Number.POSITIVE_INFINITY } as const;
  if (outcome.kind === 'unknown') return [operation];
  if (kind === 'put' && outcome.kind === 'written') return [{ ...operation, ...unknown }];
  if (kind === 'delete' && outcome.didExist) return [{ ...operation, ...unknown }];
  return [];
}

function isKnown({ outcome }: Operation): boolean {
  return outcome.kind !== 'unknown';
}
