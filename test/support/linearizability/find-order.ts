// The search of Wing and Gong, "Testing and Verifying Concurrent Objects" (1993), with the memory of what was tried of Lowe,
// "Testing for linearizability" (2017).
//
// Operations are taken one after the other, each as if it had happened at one moment between its call and its return: next may come
// whatever was called before the first return of those that are left. Where none fits, the last one is put back. A set of
// operations that leads to the same register a second time is not searched again.
//
// Operations of unknown outcome may be taken in any number wherever nothing fits: with dozens of them there are more ways to do so than
// can be tried before the fault is looked for further up. So the search takes none of them at first, then one between two others, then
// two, and gives up each time after a while; then it tries all that again for longer.

import { type Operation, revisionOf } from './history.ts';
import { applyCall, isTooLate, NEW_REGISTER, type Register } from './register.ts';
import { settleSeenWrites } from './settle-seen-writes.ts';

/** Whether there is an order, as far as that was found out. */
export type OrderSearch =
  | { readonly kind: 'linearizable'; readonly order: readonly Operation[] }
  | { readonly kind: 'notLinearizable' }
  /** Given up after so many steps as were allowed. */
  | { readonly kind: 'undecided' };

/** A search that goes straight on takes two steps for each operation at most. */
const DEFAULT_MAX_STEPS = 500_000;
/** Steps for each operation, in the first attempts; in the next ones so many times as many. */
const SHARE = 4;
const MAX_GUESSES = [0, 1, 2, 3, 4, 8, Number.POSITIVE_INFINITY];

/** Where a search begins, and when it ends. */
export interface OrderSearchOptions {
  /** @default a key that was never written */
  readonly from?: Register;
  /** @default 500,000 */
  readonly maxSteps?: number;
}

/** One operation that was taken, and what else might have been in its place. */
interface Step {
  readonly taken: number;
  readonly before: Register;
  readonly others: number[];
  /** How many operations of unknown outcome were taken one after the other, up to this one. */
  readonly guesses: number;
}

/**
 * Looks for an order of the operations on one key in which each has the outcome that it had. It is an order in real time, and in the
 * revisions that etcd numbers its writes with. Operations of unknown outcome are in it where something shows that they happened.
 */
export function findOrder(history: readonly Operation[], options: OrderSearchOptions = {}): OrderSearch {
  const { from = NEW_REGISTER, maxSteps = DEFAULT_MAX_STEPS } = options;
  const operations = settleSeenWrites(history).toSorted((a, b) => a.calledAt - b.calledAt);
  let stepsLeft = maxSteps;
  for (let share = SHARE * (operations.length + 1); ; share *= SHARE) {
    for (const maxGuesses of MAX_GUESSES) {
      const { steps, ...found } = tryOrders(operations, from, maxGuesses, Math.min(share, stepsLeft));
      stepsLeft -= steps;
      if (found.kind !== 'undecided' || stepsLeft <= 0) return found;
    }
  }
}

/** Looks for one in which at most `maxGuesses` operations of unknown outcome follow each other, in `maxSteps` steps at most. */
function tryOrders(
  operations: readonly Operation[],
  from: Register,
  maxGuesses: number,
  maxSteps: number,
): OrderSearch & { readonly steps: number } {
  const search = new Search(operations);
  let register = from;
  let candidates = search.candidates();
  let isLimited = false;
  const taken: Step[] = [];
  const tried = new Set<string>();
  for (let steps = 1; steps <= maxSteps; steps++) {
    if (search.isOver) {
      return { kind: 'linearizable', order: taken.flatMap((step) => operations[step.taken] ?? []), steps };
    }
    const next = candidates.pop();
    if (next === undefined) {
      const last = taken.pop();
      if (last === undefined) return { kind: isLimited ? 'undecided' : 'notLinearizable', steps };
      search.putBack(last.taken);
      register = last.before;
      candidates = last.others;
      continue;
    }
    const operation = operations[next];
    const after = operation && applyCall(register, operation);
    if (after === undefined) continue;
    const guesses = operation?.outcome.kind === 'unknown' ? (taken.at(-1)?.guesses ?? 0) + 1 : 0;
    if (guesses > maxGuesses) {
      isLimited = true;
      continue;
    }
    search.take(next);
    const { value, version, modRevision, leastRevision } = after;
    const state = `${search.taken} ${version} ${modRevision ?? '?'} ${leastRevision} ${guesses} ${value}`;
    if (tried.has(state) || search.leavesBehind(after)) {
      search.putBack(next);
      continue;
    }
    tried.add(state);
    // What changes nothing is as well here as it is anywhere later.
    const others = after === register ? [] : candidates;
    taken.push({ taken: next, before: register, others, guesses });
    register = after;
    candidates = search.candidates();
  }
  return { kind: 'undecided', steps: maxSteps };
}

/** Which operations are taken, by their places in the order of their calls. */
class Search {
  readonly #operations: readonly Operation[];
  readonly #isTaken: boolean[];
  /** Those that must be taken, and those that may be. */
  readonly #known: readonly number[];
  readonly #unknown: readonly number[];
  /** Of the unknown ones that nothing tells apart, the one that was called before; -1: none, or it can be told apart. */
  readonly #earlierTwin: readonly number[];
  /** All of `#known` before this place are taken. */
  #first = 0;

  constructor(operations: readonly Operation[]) {
    this.#operations = operations;
    this.#isTaken = operations.map(() => false);
    const all = [...operations.keys()];
    const isUnknown = (i: number) => operations[i]?.outcome.kind === 'unknown';
    this.#known = all.filter((i) => !isUnknown(i));
    this.#unknown = all.filter(isUnknown);
    this.#earlierTwin = findEarlierTwins(operations);
  }

  get isOver(): boolean {
    return this.#first === this.#known.length;
  }

  /** Names the set of those that are taken. */
  get taken(): string {
    const ahead: number[] = [];
    // None is taken that was called after the first return of those that are not.
    for (const i of this.#window()) if (this.#isTaken[i]) ahead.push(i);
    const unknown = this.#unknown.filter((i) => this.#isTaken[i]);
    return `${this.#first}+${ahead.join()}+${unknown.join()}`;
  }

  take(index: number): void {
    this.#isTaken[index] = true;
    while (this.#isTaken[this.#known[this.#first] ?? -1]) this.#first += 1;
  }

  putBack(index: number): void {
    this.#isTaken[index] = false;
    const { outcome } = this.#operations[index] ?? {};
    if (outcome === undefined || outcome.kind === 'unknown') return;
    while (this.#first > 0 && (this.#known[this.#first - 1] ?? -1) >= index) this.#first -= 1;
  }

  /** Whether one of the known ones that are left, and were called by now, can no longer come. */
  leavesBehind(register: Register): boolean {
    return this.#window().some((i) => {
      const operation = this.#operations[i];
      return operation !== undefined && !this.#isTaken[i] && isTooLate(register, operation);
    });
  }

  /** Those that may come next, the best last. */
  candidates(): number[] {
    const window = this.#window();
    const open = window.filter((i) => !this.#isTaken[i]);
    const firstReturn = Math.min(...open.map((i) => this.#operations[i]?.returnedAt ?? 0));
    const mayComeNext = (i: number) =>
      !this.#isTaken[i] && (this.#operations[i]?.calledAt ?? firstReturn) < firstReturn;
    return [
      ...this.#unknown.filter((i) => mayComeNext(i) && this.#isTaken[this.#earlierTwin[i] ?? -1] !== false),
      ...this.#leastRevisions(open.filter(mayComeNext)),
    ];
  }

  /** Revisions never fall in the order, and what is known to have happened is in it: of these only the least can come next. */
  #leastRevisions(indexes: readonly number[]): readonly number[] {
    const revisions = indexes.map((i) => {
      const operation = this.#operations[i];
      return operation && revisionOf(operation);
    });
    let least: bigint | undefined;
    for (const revision of revisions) {
      if (revision !== undefined && (least === undefined || revision < least)) least = revision;
    }
    return indexes.filter((_, place) => revisions[place] === undefined || revisions[place] === least);
  }

  /** The known ones from the first that is not taken, up to those that were called after the first return of these. */
  #window(): readonly number[] {
    const window: number[] = [];
    let firstReturn = Number.POSITIVE_INFINITY;
    for (let place = this.#first; place < this.#known.length; place++) {
      const index = this.#known[place] ?? -1;
      const operation = this.#operations[index];
      if (operation === undefined || operation.calledAt > firstReturn) break;
      if (!this.#isTaken[index]) firstReturn = Math.min(firstReturn, operation.returnedAt);
      window.push(index);
    }
    return window;
  }
}

/**
 * Finds the operations of unknown outcome that the search need take only after another, called earlier: all deletions, and all
 * writes of values that nobody saw on the same condition or on none. In any order the later one could be replaced by the earlier one.
 */
function findEarlierTwins(operations: readonly Operation[]): readonly number[] {
  const seen = new Set(operations.flatMap(({ outcome }) => (outcome.kind === 'found' ? outcome.value : [])));
  const last = new Map<string, number>();
  return operations.map((operation, i) => {
    if (operation.outcome.kind !== 'unknown') return -1;
    if (operation.kind === 'put' && seen.has(operation.value)) return -1;
    const effect = operation.kind === 'put' ? `put if ${operation.expectedRevision}` : operation.kind;
    const twin = last.get(effect) ?? -1;
    last.set(effect, i);
    return twin;
  });
}
