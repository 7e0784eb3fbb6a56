// One watch of the store, the history of what it told, and the subscribers that read from it.

import type { Clock } from '../clock.ts';
import type { DomainError } from '../errors.ts';
import { type KeySpan, keyId } from '../key-range.ts';
import type { KeyValueStore, LeaseStore, StoreEvent, Upstream, WatchSink, WatchSource } from '../store.ts';
import { changeOf, endedLeases, leasesOfDeleted } from './change.ts';
import { delay } from './delay.ts';
import { type Entry, EventHistory, eventsEntry, resyncEntry } from './event-history.ts';
import { KeyIndex } from './key-index.ts';
import type { Subscription } from './subscription.ts';

/** What all channels of a hub share. */
export interface ChannelDeps {
  readonly source: WatchSource;
  readonly store: KeyValueStore;
  readonly leases: Pick<LeaseStore, 'isAlive'>;
  readonly clock: Clock;
}

/** What a channel tells its hub. */
export interface ChannelOwner {
  /** Its history holds so many bytes more, or less. */
  sized(channel: Channel, bytes: number): void;
  /** Its position moved: subscribers may find a better place. */
  moved(channel: Channel): void;
  /** Its watch is over: its subscribers are to be failed, or moved elsewhere. */
  failed(channel: Channel, error: DomainError): void;
}

/** Which changes a channel reads. */
export interface ChannelOptions {
  readonly range: KeySpan;
  readonly fromRevision: bigint;
  /** Whether it serves laggards: it then reads no faster than the fastest of them. */
  readonly isForLaggards: boolean;
  /** The largest range, in keys, of which it keeps an index to tell differences after a compaction; 0: of none. */
  readonly maxIndexedKeys: number;
}

/** How much unread history a channel for laggards may hold, in bytes. */
const LAGGARD_BYTES = 4 * 1024 * 1024;
const RECOVERY_RETRY_MS = 500;
const NONE: ReadonlySet<bigint> = new Set();

/** States: reading → (compacted) recovering → reading …; failed; closed. */
export class Channel implements WatchSink {
  readonly range: KeySpan;
  readonly isForLaggards: boolean;
  readonly #maxIndexedKeys: number;
  readonly #deps: ChannelDeps;
  readonly #owner: ChannelOwner;
  readonly #subscribers = new Set<Subscription>();
  /** Waiting subscribers of a single key, by key, and all others that wait. */
  readonly #waitingForKey = new Map<string, Set<Subscription>>();
  readonly #waiting = new Set<Subscription>();
  readonly #ended = new AbortController();
  #history: EventHistory;
  #index: KeyIndex | undefined;
  #upstream: Upstream;
  #isPaused = false;
  #isFailed = false;
  #cancelMakingRoom: (() => void) | undefined;
  /** Settles when all that was told so far is in the history: a deletion waits until it is known whether its lease ended. */
  #told: Promise<void> | undefined;

  constructor(options: ChannelOptions, deps: ChannelDeps, owner: ChannelOwner) {
    this.range = options.range;
    this.isForLaggards = options.isForLaggards;
    this.#maxIndexedKeys = options.maxIndexedKeys;
    this.#deps = deps;
    this.#owner = owner;
    this.#history = new EventHistory(options.fromRevision);
    this.#upstream = this.#openUpstream(options.fromRevision);
    this.#startIndex(options.fromRevision - 1n);
  }

  get history(): EventHistory {
    return this.#history;
  }

  get subscribers(): ReadonlySet<Subscription> {
    return this.#subscribers;
  }

  get isFailed(): boolean {
    return this.#isFailed;
  }

  add(subscription: Subscription): void {
    this.#subscribers.add(subscription);
  }

  remove(subscription: Subscription): void {
    this.stopWaiting(subscription);
    this.#subscribers.delete(subscription);
  }

  /** Has a subscriber notified of the next entry in its range. */
  startWaiting(subscription: Subscription): void {
    const { range } = subscription.view;
    if (range.kind === 'range') {
      this.#waiting.add(subscription);
      return;
    }
    const id = keyId(range.key);
    const waiting = this.#waitingForKey.get(id) ?? new Set();
    this.#waitingForKey.set(id, waiting.add(subscription));
  }

  stopWaiting(subscription: Subscription): void {
    this.#waiting.delete(subscription);
    const { range } = subscription.view;
    if (range.kind === 'range') return;
    const id = keyId(range.key);
    const waiting = this.#waitingForKey.get(id);
    if (waiting?.delete(subscription) && waiting.size === 0) this.#waitingForKey.delete(id);
  }

  /** Removes the oldest entry; who has not read it is told. Returns whether there was one. */
  evict(): boolean {
    const entry = this.#history.evict();
    if (entry === undefined) return false;
    this.#owner.sized(this, -entry.bytes);
    for (const subscription of this.#subscribers) subscription.miss(entry);
    return true;
  }

  /**
   * A channel for laggards lets go of what they have read, and reads on when the fastest of them has read enough; who is slower still
   * is told what it misses. Not at once: those who were woken together read first.
   */
  makeRoom(): void {
    if (!this.isForLaggards || (!this.#isPaused && this.#history.bytes < LAGGARD_BYTES / 2)) return;
    this.#cancelMakingRoom ??= this.#deps.clock.after(0, () => this.#makeRoom());
  }

  close(): void {
    this.#ended.abort();
    this.#cancelMakingRoom?.();
    this.#upstream.close();
  }

  events(revision: bigint, events: readonly StoreEvent[]): void {
    const leases = leasesOfDeleted(events);
    if (leases.length === 0) {
      this.#inOrder(() => this.#append(revision, events, NONE));
      return;
    }
    const ended = endedLeases(leases, this.#deps.leases, this.#ended);
    this.#inOrder(async () => this.#append(revision, events, await ended));
  }

  progress(revision: bigint): void {
    this.#inOrder(() => {
      this.#history.advance(revision);
      this.#owner.moved(this);
    });
  }

  compacted(): void {
    this.#inOrder(() => this.#recover());
  }

  failed(error: DomainError): void {
    this.#inOrder(() => {
      this.#isFailed = true;
      this.#owner.failed(this, error);
    });
  }

  /** Runs `step` when all steps before it are done: at once, where none waits. */
  #inOrder(step: () => void | Promise<void>): void {
    if (this.#told === undefined) {
      const result = step();
      if (result === undefined) return;
      this.#follow(result);
    } else this.#follow(this.#told.then(step));
  }

  #follow(told: Promise<void>): void {
    const following = told.then(() => {
      if (this.#told === following) this.#told = undefined;
    });
    this.#told = following;
  }

  #append(revision: bigint, events: readonly StoreEvent[], ended: ReadonlySet<bigint>): void {
    if (this.#ended.signal.aborted) return;
    const changes = events.map((event) => changeOf(event, ended));
    this.#index?.apply(changes);
    this.#enter(eventsEntry(revision, changes));
  }

  #enter(entry: Entry): void {
    this.#history.append(entry);
    this.#notify(entry);
    this.#owner.sized(this, entry.bytes);
    if (this.isForLaggards && !this.#isPaused && this.#history.bytes > LAGGARD_BYTES) {
      this.#isPaused = true;
      this.#upstream.pause();
      this.makeRoom();
    }
    this.#owner.moved(this);
  }

  #makeRoom(): void {
    this.#cancelMakingRoom = undefined;
    const { fastest, slowest } = this.#extremes();
    for (let first = this.#history.firstFrom(0n); first !== undefined; first = this.#history.firstFrom(0n)) {
      const isRead = first.revision < slowest;
      const isFull = this.#isPaused && this.#history.bytes >= LAGGARD_BYTES / 2;
      if (!isRead && !(isFull && first.revision < fastest)) break;
      this.evict();
    }
    if (this.#isPaused && this.#history.bytes < LAGGARD_BYTES / 2) {
      this.#isPaused = false;
      this.#upstream.resume();
    }
  }

  #notify(entry: Entry): void {
    for (const { kv } of entry.changes) {
      for (const subscription of this.#waitingForKey.get(keyId(kv.key)) ?? []) subscription.notify(entry);
    }
    for (const subscription of this.#waiting) {
      if (entry.kind === 'resync' || entry.seenBy(subscription.view) !== undefined)
        subscription.notify(entry);
    }
    if (entry.kind === 'resync') {
      for (const waiting of this.#waitingForKey.values()) {
        for (const subscription of waiting) subscription.notify(entry);
      }
    }
  }

  /** Finds out what the lost changes changed, and watches on from there; tried until it is done, or the channel closed. */
  async #recover(): Promise<void> {
    for (;;) {
      if (this.#ended.signal.aborted) return;
      try {
        await this.#recoverOnce();
        return;
      } catch {
        // The store cannot be read now.
        await delay(this.#deps.clock, RECOVERY_RETRY_MS, this.#ended);
      }
    }
  }

  async #recoverOnce(): Promise<void> {
    const { store } = this.#deps;
    const { revision } = await store.read({ kind: 'read', range: this.range, view: 'count' }, this.#ended);
    const after = this.#history.position;
    const index = this.#index;
    const changes = index?.isWhole ? await index.differenceTo(store, revision, this.#ended) : undefined;
    if (this.#ended.signal.aborted) return;
    this.#upstream = this.#openUpstream(revision + 1n);
    if (changes !== undefined && revision > after) {
      this.#enter(resyncEntry(after, revision, changes));
      return;
    }
    // While they still are where the old history left them.
    for (const subscription of this.#subscribers) subscription.lose();
    this.#owner.sized(this, -this.#history.bytes);
    this.#history = new EventHistory(revision + 1n);
    this.#startIndex(revision);
  }

  /** Keeps an index of the keys, from those at `revision` on. */
  #startIndex(revision: bigint): void {
    if (this.#maxIndexedKeys === 0) return;
    this.#index = new KeyIndex(this.range, this.#maxIndexedKeys);
    void this.#index.load(this.#deps.store, revision, this.#ended);
  }

  #openUpstream(fromRevision: bigint): Upstream {
    this.#isPaused = false;
    return this.#deps.source.open({ range: this.range, fromRevision, isPausable: this.isForLaggards }, this);
  }

  #extremes(): { readonly fastest: bigint; readonly slowest: bigint } {
    let fastest = 0n;
    let slowest: bigint | undefined;
    for (const { nextRevision } of this.#subscribers) {
      if (nextRevision > fastest) fastest = nextRevision;
      if (slowest === undefined || nextRevision < slowest) slowest = nextRevision;
    }
    return { fastest, slowest: slowest ?? 0n };
  }
}
