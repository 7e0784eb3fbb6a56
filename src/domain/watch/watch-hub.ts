// One watch of the store serves any number of subscribers on overlapping keys, prefixes and ranges.
//
// The live channels are disjoint ranges: a subscriber whose range lies in one joins it; one whose range overlaps several makes one of
// them all. A subscriber whose position is older than the history of its live channel first reads from a channel for laggards, which
// it shares with others as far behind, and moves over as soon as the live channel's history reaches back to its position. So does
// everyone on a channel that another has replaced. A channel without subscribers is closed at once; one that is wider than its
// subscribers need is replaced by narrower ones after a while.

import type { Clock } from '../clock.ts';
import type { DomainError } from '../errors.ts';
import { compareKeys, type KeySpan, keyId, spanOf } from '../key-range.ts';
import { Alarms } from './alarms.ts';
import { Channel, type ChannelDeps, type ChannelOwner } from './channel.ts';
import { HistoryBudget } from './history-budget.ts';
import { components, covers, overlap, union } from './spans.ts';
import { Subscription, type SubscriptionOptions, type SubscriptionOwner } from './subscription.ts';

/** Bounds of a hub. */
export interface WatchHubOptions {
  /** The memory for the histories of all channels together, in bytes, roughly. @default 128 MiB */
  readonly historyBytes: number;
  /** The largest range, in keys, of which a live channel can tell the exact difference after a compaction. @default 100,000 */
  readonly maxIndexedKeys: number;
  /** A first subscriber that is no more than so many revisions behind has the live channel begin at its position. @default 1000 */
  readonly nearRevisions: bigint;
}

export const DEFAULT_WATCH_HUB_OPTIONS: WatchHubOptions = {
  historyBytes: 128 * 1024 * 1024,
  maxIndexedKeys: 100_000,
  nearRevisions: 1_000n,
};

/** What a hub holds at the moment. */
export interface WatchHubStats {
  readonly subscriptions: number;
  /** Watches of the store. */
  readonly channels: number;
  readonly historyBytes: number;
}

const TIGHTEN_AFTER_MS = 5_000;

/** Makes subscriptions and gives each its channel. */
export class WatchHub implements ChannelOwner, SubscriptionOwner, Disposable {
  readonly clock: Clock;
  readonly #deps: ChannelDeps;
  readonly #options: WatchHubOptions;
  readonly #budget: HistoryBudget;
  /** Disjoint, in the order of their ranges. */
  readonly #live: Channel[] = [];
  /** For laggards, or replaced and not left by all yet. */
  readonly #others = new Set<Channel>();
  /** Those of the others that stand in for a live channel, by their range: it may be watched, but not together with others. */
  readonly #apart = new Map<string, Channel>();
  readonly #subscriptions = new Set<Subscription>();
  /** The newest revision that a subscriber or a channel has seen. */
  #head = 0n;
  #isDisposed = false;
  #cancelTightening: (() => void) | undefined;
  readonly #alarms: Alarms<Subscription>;

  constructor(deps: ChannelDeps, options: Partial<WatchHubOptions> = {}) {
    this.#deps = deps;
    this.clock = deps.clock;
    this.#options = { ...DEFAULT_WATCH_HUB_OPTIONS, ...options };
    this.#budget = new HistoryBudget(this.clock, this.#options.historyBytes);
    this.#alarms = new Alarms(this.clock, (subscription) => subscription.wake());
  }

  /** Subscribes from a revision on. `headRevision` is one that the store has reached. */
  subscribe(options: SubscriptionOptions, headRevision: bigint): Subscription {
    if (headRevision > this.#head) this.#head = headRevision;
    const subscription = new Subscription(options, this);
    if (this.#isDisposed) {
      subscription.close();
      return subscription;
    }
    this.#subscriptions.add(subscription);
    this.pulls(subscription);
    return subscription;
  }

  stats(): WatchHubStats {
    return {
      subscriptions: this.#subscriptions.size,
      channels: this.#live.length + this.#others.size,
      historyBytes: this.#budget.bytes,
    };
  }

  /** Ends all subscriptions, and those that are still to come. */
  [Symbol.dispose](): void {
    this.#isDisposed = true;
    for (const subscription of this.#subscriptions) subscription.close();
    this.#cancelTightening?.();
  }

  /** For subscriptions: see {@link SubscriptionOwner}. */
  pulls(subscription: Subscription): void {
    this.#place(subscription);
    subscription.channel?.makeRoom();
  }

  /** For subscriptions: see {@link SubscriptionOwner}. */
  waits(subscription: Subscription, untilMs: number): void {
    this.#alarms.set(subscription, untilMs);
  }

  /** For subscriptions: see {@link SubscriptionOwner}. */
  wakes(subscription: Subscription): void {
    this.#alarms.ringSoon(subscription);
  }

  /** For subscriptions: see {@link SubscriptionOwner}. */
  closed(subscription: Subscription): void {
    this.#subscriptions.delete(subscription);
    this.#alarms.delete(subscription);
    this.#move(subscription, undefined);
    if (this.#live.length > 0) {
      this.#cancelTightening ??= this.clock.after(TIGHTEN_AFTER_MS, () => this.#tighten());
    } else {
      this.#cancelTightening?.();
      this.#cancelTightening = undefined;
    }
  }

  /** For channels: see {@link ChannelOwner}. */
  sized(channel: Channel, bytes: number): void {
    this.#budget.sized(channel, bytes);
  }

  /** For channels: see {@link ChannelOwner}. */
  moved(channel: Channel): void {
    if (channel.history.position > this.#head) this.#head = channel.history.position;
    if (this.#isLive(channel)) return;
    for (const subscription of channel.subscribers) if (subscription.isWaiting) this.#place(subscription);
  }

  /** For channels: see {@link ChannelOwner}. */
  failed(channel: Channel, error: DomainError): void {
    if (this.#isLive(channel)) {
      this.#live.splice(this.#firstEndingAfter(channel.range.start), 1);
      this.#others.add(channel);
    }
    this.#forgetApart(channel);
    // The store may refuse a range and still serve a part of it: who reads only a part is given a channel of its own.
    const byPosition = [...channel.subscribers].sort((a, b) => (a.nextRevision < b.nextRevision ? -1 : 1));
    for (const subscription of byPosition) {
      const span = spanOf(subscription.view.range);
      if (covers(span, channel.range)) subscription.fail(error);
      else this.#setApart(subscription, span);
    }
    this.#closeIfLeft(channel);
  }

  /** Sees to it that a subscription is on a channel that has what it reads next: the live one, if it can be. */
  #place(subscription: Subscription): void {
    const { channel, nextRevision } = subscription;
    const isServed = channel !== undefined && !channel.isFailed && channel.history.from <= nextRevision;
    if (isServed && this.#isLive(channel)) return;
    const span = spanOf(subscription.view.range);
    const live = this.#apart.get(spanId(span)) ?? this.#liveFor(span, nextRevision);
    if (live.history.from <= nextRevision) this.#move(subscription, live);
    else if (!isServed) this.#move(subscription, this.#laggardsFor(span, nextRevision));
  }

  #setApart(subscription: Subscription, span: KeySpan): void {
    const id = spanId(span);
    if (!this.#apart.has(id)) {
      const channel = this.#open(span, subscription.nextRevision, false);
      this.#apart.set(id, channel);
      this.#others.add(channel);
    }
    this.#place(subscription);
  }

  #forgetApart(channel: Channel): void {
    const id = spanId(channel.range);
    if (this.#apart.get(id) === channel) this.#apart.delete(id);
  }

  #isLive(channel: Channel): boolean {
    return this.#live[this.#firstEndingAfter(channel.range.start)] === channel;
  }

  /** The live channel that covers a range; made, in place of all that it overlaps, where there is none. */
  #liveFor(span: KeySpan, nextRevision: bigint): Channel {
    const first = this.#firstEndingAfter(span.start);
    const found = this.#live[first];
    if (found !== undefined && covers(found.range, span)) return found;

    const overlapped = this.#overlapping(span);
    const isNear = nextRevision + this.#options.nearRevisions > this.#head;
    const from = [
      isNear ? nextRevision : this.#head + 1n,
      ...overlapped.map(({ history }) => history.position + 1n),
    ];
    const channel = this.#open(
      overlapped.reduce((sum, { range }) => union(sum, range), span),
      least(from),
      false,
    );
    this.#replace(first, overlapped, [channel]);
    return channel;
  }

  #laggardsFor(span: KeySpan, nextRevision: bigint): Channel {
    for (const channel of this.#others) {
      const isFit = channel.isForLaggards && !channel.isFailed && covers(channel.range, span);
      if (isFit && channel.history.from <= nextRevision) return channel;
    }
    const channel = this.#open(span, nextRevision, true);
    this.#others.add(channel);
    return channel;
  }

  #open(range: KeySpan, fromRevision: bigint, isForLaggards: boolean): Channel {
    const maxIndexedKeys = isForLaggards ? 0 : this.#options.maxIndexedKeys;
    const channel = new Channel({ range, fromRevision, isForLaggards, maxIndexedKeys }, this.#deps, this);
    this.#budget.add(channel);
    return channel;
  }

  /** Puts other channels in the place of live ones, and moves everyone who can move. */
  #replace(at: number, replaced: readonly Channel[], channels: readonly Channel[]): void {
    this.#live.splice(at, replaced.length, ...channels);
    for (const channel of replaced) {
      this.#others.add(channel);
      this.moved(channel);
      this.#closeIfLeft(channel);
    }
  }

  #move(subscription: Subscription, channel: Channel | undefined): void {
    const left = subscription.channel;
    if (left === channel) return;
    channel?.add(subscription);
    subscription.attach(channel);
    if (left === undefined) return;
    left.remove(subscription);
    this.#closeIfLeft(left);
  }

  /** Closes a channel that nobody reads from; a live one only if nobody is on the way to it either. */
  #closeIfLeft(channel: Channel): void {
    const isLive = this.#isLive(channel);
    if (channel.subscribers.size > 0 || !(isLive || this.#others.has(channel))) return;
    if (isLive && [...this.#others].some(({ range }) => overlap(range, channel.range))) return;
    channel.close();
    this.#budget.remove(channel);
    if (isLive) this.#live.splice(this.#firstEndingAfter(channel.range.start), 1);
    else {
      this.#others.delete(channel);
      this.#forgetApart(channel);
      for (const live of this.#overlapping(channel.range)) this.#closeIfLeft(live);
    }
  }

  /** Replaces live channels that are wider than all their subscribers together. */
  #tighten(): void {
    this.#cancelTightening = undefined;
    const spans = new Map<Channel, KeySpan[]>();
    for (const { view } of this.#subscriptions) {
      const span = spanOf(view.range);
      const live = this.#live[this.#firstEndingAfter(span.start)];
      if (live === undefined || !covers(live.range, span)) continue;
      const others = spans.get(live);
      if (others === undefined) spans.set(live, [span]);
      else others.push(span);
    }
    for (const channel of [...this.#live]) {
      const needed = components(spans.get(channel) ?? []);
      const [only] = needed;
      if (needed.length === 1 && only !== undefined && covers(only, channel.range)) continue;
      const narrower = needed.map((range) => this.#open(range, channel.history.position + 1n, false));
      this.#replace(this.#live.indexOf(channel), [channel], narrower);
    }
  }

  /** The live channels that share keys with a range. */
  #overlapping(span: KeySpan): readonly Channel[] {
    const first = this.#firstEndingAfter(span.start);
    let last = first;
    for (let live = this.#live[first]; live && overlap(live.range, span); live = this.#live[last]) last += 1;
    return this.#live.slice(first, last);
  }

  /** The place of the first live channel that does not end before `key`. */
  #firstEndingAfter(key: Uint8Array): number {
    let low = 0;
    let high = this.#live.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const end = this.#live[middle]?.range.end;
      if (end !== undefined && compareKeys(end, key) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function least(revisions: readonly bigint[]): bigint {
  const [smallest = 0n] = revisions.toSorted((a, b) => (a < b ? -1 : 1));
  return smallest;
}

function spanId({ start, end }: KeySpan): string {
  return JSON.stringify([keyId(start), end && keyId(end)]);
}
