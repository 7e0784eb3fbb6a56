// The latest changes of a range, in memory: whoever reads from it has a position of its own.

import { contains } from '../key-range.ts';
import { type Change, sizeOf } from './change.ts';
import type { View } from './view.ts';

/** What one revision changed; or, as `resync`, all that changed after a revision up to this one, whatever happened in between. */
export interface Entry {
  readonly kind: 'events' | 'resync';
  readonly revision: bigint;
  /** Of a resync: the revision whose state the changes start from. */
  readonly after: bigint;
  readonly changes: readonly Change[];
  /** Returns what a view shows of the entry, made once for all equal views; undefined: nothing. */
  seenBy(view: View): readonly Change[] | undefined;
  /** Memory held, roughly. */
  readonly bytes: number;
}

/** Creates the entry of one revision. */
export function eventsEntry(revision: bigint, changes: readonly Change[]): Entry {
  return createEntry('events', revision, revision - 1n, changes);
}

/** Creates the entry of all that changed after a revision. */
export function resyncEntry(after: bigint, revision: bigint, changes: readonly Change[]): Entry {
  return createEntry('resync', revision, after, changes);
}

/**
 * Entries in the order of revisions.
 *
 * It holds every change from `from` to `position`: what is older was evicted, what is newer is still to come. It does not evict by
 * itself.
 */
export class EventHistory {
  /** Those before `#head` are gone. */
  #entries: (Entry | undefined)[] = [];
  #head = 0;
  #from: bigint;
  #position: bigint;
  #bytes = 0;

  /** Starts empty, for changes from `from` on. */
  constructor(from: bigint) {
    this.#from = from;
    this.#position = from - 1n;
  }

  get from(): bigint {
    return this.#from;
  }

  get position(): bigint {
    return this.#position;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#head === this.#entries.length;
  }

  append(entry: Entry): void {
    this.#entries.push(entry);
    this.#bytes += entry.bytes;
    this.#position = entry.revision;
  }

  /** Notes that up to `revision` there was nothing more. */
  advance(revision: bigint): void {
    if (revision > this.#position) this.#position = revision;
  }

  /** Returns the first entry at or after `revision`. */
  firstFrom(revision: bigint): Entry | undefined {
    let low = this.#head;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#entries[middle]?.revision ?? 0n) < revision) low = middle + 1;
      else high = middle;
    }
    return this.#entries[low];
  }

  /** Removes the oldest entry and returns it. */
  evict(): Entry | undefined {
    const entry = this.#entries[this.#head];
    if (entry === undefined) return undefined;
    this.#entries[this.#head] = undefined;
    this.#head += 1;
    this.#bytes -= entry.bytes;
    this.#from = entry.revision + 1n;
    if (this.#head > 1_024 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    return entry;
  }
}

function createEntry(
  kind: Entry['kind'],
  revision: bigint,
  after: bigint,
  changes: readonly Change[],
): Entry {
  const views = new Map<string, readonly Change[] | undefined>();
  return {
    kind,
    revision,
    after,
    changes,
    seenBy(view) {
      // Not remembered: there may be as many views of other keys as there are subscribers.
      if (!changes.some(({ kv }) => contains(view.range, kv.key))) return undefined;
      if (views.has(view.id)) return views.get(view.id);
      const seen = view.select(changes);
      views.set(view.id, seen);
      return seen;
    },
    bytes: changes.reduce((sum, change) => sum + sizeOf(change), 0),
  };
}
