// One subscriber of the hub: a view and a position. It is asked for what comes next, and tells when it is worth asking again.
//
// States:
// - opening: made, not attached to a channel yet.
// - catching up: on a channel of laggards, which reads from the store what the live channel no longer holds.
// - live: on the live channel, waiting; its position is that of the channel.
// - lagging: on the live channel, reading from its history; what the history must evict before it was read ends the subscriber as
//   too slow, or, if it coalesces, is folded into the latest change of each key.
// - lost: changes it should have read were compacted away, and what they changed is not known.
// - closed.

import type { Due } from '../due-queue.ts';
import { DomainError } from '../errors.ts';
import { keyId } from '../key-range.ts';
import { type Change, sizeOf } from './change.ts';
import type { Channel } from './channel.ts';
import type { Entry } from './event-history.ts';
import type { View } from './view.ts';

/** What a subscriber gets when it asks for more. */
export type Delivery =
  | { readonly kind: 'events' | 'resync'; readonly revision: bigint; readonly changes: readonly Change[] }
  /** Changes are lost: it must read the state anew, and {@link Subscription.rebase}. */
  | { readonly kind: 'lost' };

/** What a subscriber is bound by. */
export interface SubscriptionOptions {
  readonly view: View;
  readonly nextRevision: bigint;
  readonly isCoalescing: boolean;
}

/** A subscriber that coalesces takes at most so much memory for what it has not read, and so much in one delivery. */
const MAX_FOLDED_BYTES = 16 * 1024 * 1024;
const MAX_COALESCED_BYTES = 1024 * 1024;
const LOST: Delivery = { kind: 'lost' };

/** Who reads from a subscription. */
export interface Reader {
  /** Is told, once for each {@link Subscription.wait}, to ask again. */
  wake(): void;
}

/** What a subscription needs of its hub. */
export interface SubscriptionOwner {
  /** It is about to read: the hub sees to it that it reads from the best place. */
  pulls(subscription: Subscription): void;
  /** It waits, until so many milliseconds of the clock at the latest. */
  waits(subscription: Subscription, untilMs: number): void;
  /** Its reader is to be woken: together with all others, once what has come with the cause is there too. */
  wakes(subscription: Subscription): void;
  closed(subscription: Subscription): void;
}

/** Made by {@link WatchHub.subscribe}. */
export class Subscription implements Disposable, Due {
  readonly view: View;
  /** When its waiting ends, for the hub's alarms. */
  dueMs = 0;
  place = -1;
  readonly #isCoalescing: boolean;
  readonly #owner: SubscriptionOwner;
  #channel: Channel | undefined;
  #next: bigint;
  #isWaiting = false;
  #isLost = false;
  #isTooSlow = false;
  #isClosed = false;
  #failure: Error | undefined;
  /** Who waits. */
  #reader: Reader | undefined;
  #folded: Folded | undefined;

  constructor({ view, nextRevision, isCoalescing }: SubscriptionOptions, owner: SubscriptionOwner) {
    this.view = view;
    this.#next = nextRevision;
    this.#isCoalescing = isCoalescing;
    this.#owner = owner;
  }

  /** The first revision whose changes it has not been given, and need not be given. */
  get nextRevision(): bigint {
    const { position } = this.#channel?.history ?? { position: 0n };
    return this.#isWaiting && position >= this.#next ? position + 1n : this.#next;
  }

  get channel(): Channel | undefined {
    return this.#channel;
  }

  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  /** Returns what comes next, where it is there already. Throws WATCH_TOO_SLOW, or what the watch failed with. */
  poll(): Delivery | undefined {
    if (this.#isClosed) throw new DomainError('CALL_CANCELED', 'The watch was closed');
    if (this.#failure !== undefined) return this.#last(this.#failure);
    if (this.#isTooSlow) throw tooSlow(this.#folded?.from ?? this.#next);
    if (!this.#isLost) this.#owner.pulls(this);
    const delivery = this.#isLost ? undefined : this.#read();
    return delivery ?? (this.#isLost ? LOST : undefined);
  }

  /** Returns what comes next, where it is there already and the subscription goes on. */
  pollOn(): Delivery | undefined {
    const isOver = this.#isClosed || this.#failure !== undefined || this.#isTooSlow || this.#isLost;
    return isOver ? undefined : this.#read();
  }

  /** Has `reader` woken as soon as it is worth polling again, and at `untilMs` of the clock at the latest. */
  wait(untilMs: number, reader: Reader): void {
    this.#reader = reader;
    this.#isWaiting = true;
    this.#channel?.startWaiting(this);
    if (this.place === -1 || this.dueMs !== untilMs) this.#owner.waits(this, untilMs);
  }

  /** Goes on from another revision, after it was lost. */
  rebase(nextRevision: bigint): void {
    this.#next = nextRevision;
    this.#isLost = false;
  }

  /** Ends the subscription. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#owner.closed(this);
    this.#wakeUp();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** For the hub: ends the waiting. */
  wake(): void {
    const reader = this.#reader;
    this.#reader = undefined;
    this.#stopWaiting();
    reader?.wake();
  }

  /** For the hub: reads from this channel from now on. */
  attach(channel: Channel | undefined): void {
    this.#wakeUp();
    this.#channel = channel;
  }

  /** For the channel: an entry came that the view may show something of. */
  notify(entry: Entry): void {
    if (!this.#isWaiting || entry.revision < this.#next) return;
    // Of all that came since it began to wait, this is the first that concerns it.
    const from = entry.kind === 'resync' ? entry.after + 1n : entry.revision;
    if (from > this.#next) this.#next = from;
    this.#isWaiting = false;
    this.#channel?.stopWaiting(this);
    this.#owner.wakes(this);
  }

  /** For the channel: an entry that was not read yet leaves the memory. */
  miss(entry: Entry): void {
    if (this.#isWaiting || this.#isLost || this.#isTooSlow || entry.revision < this.#next) return;
    // Whether its difference starts from where this subscriber is, can no longer be told.
    if (entry.kind === 'resync') {
      this.lose();
      return;
    }
    const seen = entry.seenBy(this.view);
    if (seen !== undefined && !this.#fold(seen)) this.#isTooSlow = true;
    else this.#next = entry.revision + 1n;
  }

  /** For the channel: changes are lost, and nobody knows what they changed. */
  lose(): void {
    this.#wakeUp();
    this.#next = this.#folded?.from ?? this.#next;
    this.#folded = undefined;
    this.#isLost = true;
  }

  /** For the channel: the watch is over. */
  fail(error: Error): void {
    this.#failure = error;
    this.#wakeUp();
  }

  #read(): Delivery | undefined {
    return this.#isCoalescing ? this.#readCoalesced() : this.#readNext();
  }

  /** What came before a failure goes before it; but it is told no more of what its channel evicts. */
  #last(failure: Error): Delivery {
    const isWhole = this.#channel !== undefined && this.#channel.history.from <= this.#next;
    const delivery = isWhole ? this.#read() : undefined;
    if (delivery === undefined) throw failure;
    return delivery;
  }

  #readNext(): Delivery | undefined {
    const history = this.#channel?.history;
    for (
      let entry = history?.firstFrom(this.#next);
      entry !== undefined;
      entry = history?.firstFrom(this.#next)
    ) {
      // The difference starts from a state that this subscriber never was at.
      if (entry.kind === 'resync' && this.#next > entry.after + 1n) {
        this.#isLost = true;
        return undefined;
      }
      this.#next = entry.revision + 1n;
      const changes = entry.seenBy(this.view);
      if (changes !== undefined || entry.kind === 'resync') {
        return { kind: entry.kind, revision: entry.revision, changes: changes ?? [] };
      }
    }
    return undefined;
  }

  /** All that there is, as the latest change of each key. */
  #readCoalesced(): Delivery | undefined {
    const first = this.#folded === undefined ? this.#readNext() : undefined;
    if (first?.kind === 'resync') return first;
    if (first?.kind === 'events') this.#fold(first.changes);
    while (this.#folded !== undefined && this.#folded.bytes < MAX_COALESCED_BYTES) {
      const entry = this.#channel?.history.firstFrom(this.#next);
      if (entry === undefined || entry.kind === 'resync') break;
      this.#next = entry.revision + 1n;
      this.#fold(entry.seenBy(this.view) ?? []);
    }
    const folded = this.#folded;
    this.#folded = undefined;
    return folded && { kind: 'events', revision: this.#next - 1n, changes: folded.changes() };
  }

  #fold(changes: readonly Change[]): boolean {
    if (!this.#isCoalescing) return false;
    this.#folded ??= new Folded(this.#next);
    this.#folded.add(changes);
    return this.#folded.bytes <= MAX_FOLDED_BYTES;
  }

  /** Its reader may still ask for more before it is told. */
  #wakeUp(): void {
    this.#stopWaiting();
    if (this.#reader !== undefined) this.#owner.wakes(this);
  }

  /** While it waited, nothing concerned it: its position is the channel's. */
  #stopWaiting(): void {
    if (!this.#isWaiting) return;
    this.#next = this.nextRevision;
    this.#isWaiting = false;
    this.#channel?.stopWaiting(this);
  }
}

/** The latest change of each key. */
class Folded {
  /** The position of its subscriber before all of it. */
  readonly from: bigint;
  readonly #latest = new Map<string, Change>();
  bytes = 0;

  constructor(from: bigint) {
    this.from = from;
  }

  add(changes: readonly Change[]): void {
    for (const change of changes) {
      const id = keyId(change.kv.key);
      const earlier = this.#latest.get(id);
      const folded = earlier === undefined ? change : foldChanges(earlier, change);
      this.bytes += sizeOf(folded) - (earlier === undefined ? 0 : sizeOf(earlier));
      // Set anew, so that the order stays that of revisions.
      this.#latest.delete(id);
      this.#latest.set(id, folded);
    }
  }

  changes(): readonly Change[] {
    return [...this.#latest.values()];
  }
}

/** A key that was created and then updated was, to who saw neither, created; what it held before is what it held before both. */
function foldChanges(earlier: Change, later: Change): Change {
  const isStillNew = earlier.type === 'created' && later.type === 'updated';
  return { type: isStillNew ? 'created' : later.type, kv: later.kv, previous: earlier.previous };
}

function tooSlow(nextRevision: bigint): DomainError {
  return new DomainError(
    'WATCH_TOO_SLOW',
    'The subscriber does not keep up with the changes; go on from the resume token, or ask for less (keys_only, changed_only, coalesce)',
    { revision: String(nextRevision - 1n) },
  );
}
