// Follows what one subscriber is told, and holds it against the history of the store.

import { expect } from 'vitest';
import type { KeyValue } from '../../../src/domain/store.ts';
import type { Change } from '../../../src/domain/watch/change.ts';
import type { ViewOptions } from '../../../src/domain/watch/view.ts';
import type { WatchMessage } from '../../../src/domain/watch/watch.ts';
import { text } from './bytes.ts';
import { type ExpectedChange, ExpectedChanges } from './expected-changes.ts';
import type { FakeStore } from './fake-store.ts';

type State = Map<string, KeyValue>;

/** Throws with the first message that is wrong. */
export class Witness {
  readonly #store: FakeStore;
  readonly #view: ViewOptions;
  readonly #isCoalescing: boolean;
  readonly expected: ExpectedChanges;
  /** What it rebuilds; undefined where the view shows too little for it. */
  #state: State | undefined;
  /** A snapshot that is not whole yet. */
  #partial: State | undefined;
  /** A resync without changes: a snapshot follows, unless nothing has changed. */
  #resync: bigint | undefined;
  /** Everything at or below it was received; undefined before the first message. */
  position: bigint | undefined;

  constructor(store: FakeStore, view: ViewOptions, isCoalescing: boolean) {
    this.#store = store;
    this.#view = view;
    this.#isCoalescing = isCoalescing;
    this.expected = new ExpectedChanges(store, view);
  }

  /** The connection ended: what was half told is told anew. */
  interrupt(): void {
    this.#partial = undefined;
    this.#resync = undefined;
  }

  take(message: WatchMessage): void {
    const { revision } = message;
    expect(revision, 'a revision that the store has').toBeLessThanOrEqual(this.#store.revision);
    switch (message.kind) {
      case 'snapshot':
        this.#takeSnapshot(revision, message.kvs);
        break;
      case 'synced':
        this.#takeSynced(revision);
        break;
      case 'checkpoint':
        this.settleResync();
        this.#takeCheckpoint(revision);
        break;
      case 'events':
        this.settleResync();
        this.#takeEvents(revision, message.changes);
        break;
      case 'resync':
        this.settleResync();
        this.#partial = undefined;
        if (message.changes !== undefined) this.#takeDifference(revision, message.changes);
        else this.#resync = revision;
    }
  }

  #takeSnapshot(revision: bigint, kvs: readonly KeyValue[]): void {
    this.#resync = undefined;
    this.#partial ??= new Map();
    const state = this.expected.stateAt(revision);
    for (const kv of kvs) {
      const key = text(kv.key);
      expect(shown(kv, { ...this.#view, changedOnly: false })).toEqual(
        shown(state.get(key), { ...this.#view, changedOnly: false }),
      );
      expect(this.#partial.has(key), `${key} comes once`).toBe(false);
      this.#partial.set(key, kv);
    }
  }

  #takeSynced(revision: bigint): void {
    this.#resync = undefined;
    expect(revision).toBeGreaterThanOrEqual(this.position ?? 0n);
    const state = this.#partial ?? new Map();
    this.#partial = undefined;
    expect([...state.keys()].sort()).toEqual([...this.expected.stateAt(revision).keys()].sort());
    this.#state = (this.#view.changes ?? 'all') === 'all' ? state : undefined;
    this.position = revision;
  }

  #takeCheckpoint(revision: bigint): void {
    if (this.position === undefined) this.#begin(revision);
    this.#reach(revision);
    this.#compareState(revision);
  }

  #takeEvents(revision: bigint, changes: readonly Change[]): void {
    const position = this.#positionBefore(revision);
    const expected = this.expected.between(position, revision);
    if (this.#isCoalescing) {
      const isCertain = expected.every(({ isSeen }) => isSeen === 'yes');
      const latest = latestOfEach(expected);
      if (isCertain) compareInOrder(latest, changes, (each, change) => this.#compareLatest(each, change));
    } else {
      const earlier = this.expected.certainBetween(position, revision - 1n);
      expect(earlier, `changes after ${position}, before ${revision}, that were not told`).toEqual([]);
      const now = expected.filter((change) => change.revision === revision);
      compareInOrder(now, changes, (each, change) => this.#compareChange(each, change));
    }
    this.#follow(revision, changes);
  }

  /** The difference starts from some revision up to which nothing is missing. */
  #takeDifference(revision: bigint, changes: readonly Change[]): void {
    const position = this.#positionBefore(revision);
    const told = new Map(
      changes.map((change) => [text(change.kv.key), `${change.type} ${change.kv.modRevision}`]),
    );
    expect(told.size, 'each key once').toBe(changes.length);
    const nearest = this.expected.between(position, revision).find(({ isSeen }) => isSeen === 'yes');
    const differences: ReadonlyMap<string, string>[] = [];
    for (let after = position; after < (nearest?.revision ?? revision); after += 1n) {
      differences.push(this.expected.difference(after, revision));
    }
    expect(differences, `the difference from ${position} to ${revision}`).toContainEqual(told);
    for (const { kv, previous, type } of changes) {
      expect(previous).toBeUndefined();
      if (type === 'created' || type === 'updated') this.#compareValue(kv, this.#store.stateAt(revision));
    }
    this.#follow(revision, changes);
  }

  /** All that is under way has come: a resync without changes that no snapshot followed says that nothing changed. */
  settleResync(): void {
    const revision = this.#resync;
    this.#resync = undefined;
    if (revision === undefined) return;
    this.#takeDifference(revision, []);
  }

  #begin(revision: bigint): void {
    this.position = revision;
    if ((this.#view.changes ?? 'all') === 'all') this.#state = new Map(this.expected.stateAt(revision));
  }

  #positionBefore(revision: bigint): bigint {
    if (this.position === undefined) throw new Error('changes came before the first checkpoint');
    expect(revision, 'news').toBeGreaterThan(this.position);
    return this.position;
  }

  /** Nothing that should have come is missing up to a revision. */
  #reach(revision: bigint): void {
    const position = this.position ?? 0n;
    expect(revision, 'a checkpoint that does not go back').toBeGreaterThanOrEqual(position);
    const missing = this.expected.certainBetween(position, revision);
    expect(missing, `changes after ${position} up to ${revision} that were not told`).toEqual([]);
    this.position = revision;
  }

  #follow(revision: bigint, changes: readonly Change[]): void {
    for (const { type, kv } of changes) {
      const key = text(kv.key);
      if (type === 'created' || type === 'updated') this.#state?.set(key, kv);
      else this.#state?.delete(key);
    }
    this.position = revision;
    this.#compareState(revision);
  }

  #compareState(revision: bigint): void {
    if (this.#state === undefined) return;
    const expected = this.expected.stateAt(revision);
    const inOrder = ([a]: [string, unknown], [b]: [string, unknown]) => (a < b ? -1 : 1);
    const compared = (state: ReadonlyMap<string, KeyValue>) =>
      [...state].map(([key, kv]): [string, unknown] => [key, shown(kv, this.#view)]).sort(inOrder);
    expect(compared(this.#state), `the state at ${revision}`).toEqual(compared(expected));
  }

  #compareChange(expected: ExpectedChange, change: Change): void {
    expect(expected.types).toContain(change.type);
    this.#compareLatest(expected, change);
    if (this.#view.returnPrevious !== true) expect(change.previous).toBeUndefined();
    else if (expected.isPreviousCertain)
      expect(change.previous?.modRevision).toBe(expected.previous?.modRevision);
  }

  #compareLatest({ kind, revision, kv }: ExpectedChange, change: Change): void {
    expect(change.type === 'created' || change.type === 'updated').toBe(kind === 'put');
    expect(change.kv.modRevision).toBe(revision);
    if (kv !== undefined) expect(shown(change.kv, this.#view)).toEqual(shown(kv, this.#view));
  }

  #compareValue(kv: KeyValue, state: ReadonlyMap<string, KeyValue>): void {
    expect(shown(kv, this.#view)).toEqual(shown(state.get(text(kv.key)), this.#view));
  }
}

/** What can be compared of a key: a write of an equal value may have been left out. */
function shown(kv: KeyValue | undefined, { keysOnly = false, changedOnly = false }: ViewOptions): unknown {
  const value = keysOnly || kv === undefined ? '' : shortText(kv.value);
  return changedOnly ? { value } : { value, modRevision: kv?.modRevision, leaseId: kv?.leaseId };
}

function shortText(value: Uint8Array): string {
  return value.length > 1_000 ? `${value.length} bytes` : text(value);
}

/** The last change of each key, in order. */
function latestOfEach(changes: readonly ExpectedChange[]): readonly ExpectedChange[] {
  const latest = new Map<string, ExpectedChange>();
  for (const change of changes) {
    latest.delete(change.key);
    latest.set(change.key, change);
  }
  return [...latest.values()];
}

/** Compares what was told with what should have been; what may have been told may be missing. */
function compareInOrder(
  expected: readonly ExpectedChange[],
  told: readonly Change[],
  compare: (expected: ExpectedChange, change: Change) => void,
): void {
  let next = 0;
  for (const each of expected) {
    const change = told[next];
    if (change !== undefined && text(change.kv.key) === each.key) {
      compare(each, change);
      next += 1;
    } else expect(each.isSeen, `${each.key} at ${each.revision} is told`).toBe('maybe');
  }
  const others = told.slice(next).map(({ type, kv }) => `${kv.modRevision} ${type} ${text(kv.key)}`);
  expect(others, 'nothing else is told').toEqual([]);
}
