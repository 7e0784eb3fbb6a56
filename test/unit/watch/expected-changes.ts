// What a watch should tell, worked out from the whole history of a fake store.

import type { KeyValue, StoreEvent } from '../../../src/domain/store.ts';
import type { Change } from '../../../src/domain/watch/change.ts';
import type { ViewOptions } from '../../../src/domain/watch/view.ts';
import { text } from './bytes.ts';
import type { Commit, FakeStore } from './fake-store.ts';
import { matchesNaively } from './naive-glob.ts';

/** One change that a subscriber should be told of. */
export interface ExpectedChange {
  readonly key: string;
  readonly kind: 'put' | 'delete';
  readonly revision: bigint;
  readonly kv: KeyValue | undefined;
  readonly types: readonly Change['type'][];
  readonly previous: KeyValue | undefined;
  /** Whether the store may have forgotten what the key held before. */
  readonly isPreviousCertain: boolean;
  /** `maybe`: whether the value changed cannot be told where the store has forgotten the one before. */
  readonly isSeen: 'yes' | 'maybe';
}

/** Works out what one view shows. */
export class ExpectedChanges {
  readonly #store: FakeStore;
  readonly #view: ViewOptions;
  /** Whether a lease could ever not be looked up. */
  areLookupsCertain = true;

  constructor(store: FakeStore, view: ViewOptions) {
    this.#store = store;
    this.#view = view;
  }

  /** Returns the changes after one revision up to another, in order. */
  between(after: bigint, upTo: bigint): readonly ExpectedChange[] {
    return this.#store.commitsBetween(after, upTo).flatMap((commit) => this.#of(commit));
  }

  /** Returns, as short texts, those that must be told. */
  certainBetween(after: bigint, upTo: bigint): readonly string[] {
    const certain = this.between(after, upTo).filter(({ isSeen }) => isSeen === 'yes');
    return certain.map(({ revision, kind, key }) => `${revision} ${kind} ${key}`);
  }

  /** Returns the keys of the view as they were. */
  stateAt(revision: bigint): ReadonlyMap<string, KeyValue> {
    return new Map([...this.#store.stateAt(revision)].filter(([key]) => this.isInView(key)));
  }

  /** Returns the difference between the states at two revisions, as the view shows it: by key, its type and its revision. */
  difference(after: bigint, upTo: bigint): ReadonlyMap<string, string> {
    const [before, now] = [this.stateAt(after), this.stateAt(upTo)];
    const difference = new Map<string, string>();
    const { changes = 'all' } = this.#view;
    for (const [key, { modRevision }] of changes === 'deletes' ? [] : now) {
      const earlier = before.get(key);
      if (earlier?.modRevision === modRevision) continue;
      difference.set(key, `${earlier === undefined ? 'created' : 'updated'} ${modRevision}`);
    }
    for (const key of changes === 'puts' ? [] : before.keys()) {
      if (!now.has(key)) difference.set(key, `deleted ${upTo}`);
    }
    return difference;
  }

  isInView(key: string): boolean {
    const { range, glob } = this.#view;
    const isInRange =
      range.kind === 'key'
        ? key === text(range.key)
        : key >= text(range.start) && (range.end === undefined || key < text(range.end));
    return isInRange && (glob === undefined || matchesNaively(glob, key));
  }

  #of({ events, revision, endedLease }: Commit): readonly ExpectedChange[] {
    return events.flatMap((event) => this.#change(event, revision, endedLease) ?? []);
  }

  #change(event: StoreEvent, revision: bigint, endedLease: bigint | undefined): ExpectedChange | undefined {
    const { kind, previous } = event;
    const key = text(kind === 'put' ? event.kv.key : event.key);
    const { changes = 'all', changedOnly = false } = this.#view;
    if (!this.isInView(key)) return undefined;
    if (changes !== 'all' && (kind === 'put') !== (changes === 'puts')) return undefined;
    const isPreviousCertain = revision - 1n >= this.#store.compactedRevision;
    const isUnchanged =
      kind === 'put' && previous !== undefined && Buffer.compare(previous.value, event.kv.value) === 0;
    if (changedOnly && isUnchanged && isPreviousCertain) return undefined;
    return {
      key,
      kind,
      revision,
      kv: kind === 'put' ? event.kv : undefined,
      types:
        kind === 'put'
          ? [previous === undefined ? 'created' : 'updated']
          : this.#deletion(previous, endedLease, isPreviousCertain),
      previous,
      isPreviousCertain,
      isSeen: changedOnly && isUnchanged ? 'maybe' : 'yes',
    };
  }

  #deletion(
    previous: KeyValue | undefined,
    endedLease: bigint | undefined,
    isPreviousCertain: boolean,
  ): readonly Change['type'][] {
    if (endedLease !== undefined) {
      return isPreviousCertain && this.areLookupsCertain ? ['expired'] : ['expired', 'deleted'];
    }
    // A key deleted by a call, whose lease ended before it was asked for.
    const lease = previous?.leaseId ?? 0n;
    return lease === 0n || this.#store.isLeaseAlive(lease) ? ['deleted'] : ['deleted', 'expired'];
  }
}
