// One watch of the store serves any number of subscribers on overlapping keys, prefixes and ranges.
//
// The live channels are disjoint ranges: a subscriber whose range lies in one joins it; one whose range overlaps several makes one of
// them all. A subscriber whose position is older than the history of its live channel first reads from a channel for laggards, which
// it shares with others as far behind, and moves over as soon as the live channel's history reaches back to its position. So does
// everyone on a channel that another has replaced. A channel without subscribers is closed at once; one that is wider than its
// subscribers need is replaced by narrower ones after a while.

import type { Clock } from '../clock.ts';
import { compareKeys, type KeySpan, spanOf } from '../key-range.ts';
import { Channel, type ChannelDeps, type ChannelOwner, covers } from './channel.ts';
import { Subscription, type SubscriptionOptions } from './subscription.ts';

/** Bounds of a hub. */
export interface WatchHubOptions {
  /** The memory for the histories of all channels together, in bytes, roughly. @default 64 MiB */
  readonly historyBytes: number;
  /** The largest range, in keys, of which a live channel can tell the exact difference after a compaction. @default 100,000 */
  readonly maxIndexedKeys: number;
  /** A first subscriber that is no more than so many revisions behind has the live channel begin at its position. @default 1000 */
  readonly nearRevisions: bigint;
}

export const DEFAULT_WATCH_HUB_OPTIONS: WatchHubOptions = {
  historyBytes: 64 * 1024 * 1024,
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
export class WatchHub implements ChannelOwner, Disposable {
  readonly clock: Clock;
  readonly #deps: ChannelDeps;
  readonly #options: WatchHubOptions;
  /** Disjoint, in the order of their ranges. */
  readonly #live: Channel[] = [];
  /** For laggards, or replaced and not left by all yet. */
  readonly #others = new Set<Channel>();
  readonly #subscriptions = new Set<Subscription>();
  /** The newest revision that a subscriber or a channel has seen. */
  #head = 0n;
  #bytes = 0;
  #cancelTightening: (() => void) | undefined;

  constructor(deps: ChannelDeps, options: Partial<WatchHubOptions> = {}) {
    this.#deps = deps;
    this.clock = deps.clock;
    this.#options = { ...DEFAULT_WATCH_HUB_OPTIONS, ...options };
  }

  /** Subscribes from a revision on. `headRevision` is one that the store has reached. */
  subscribe(options: SubscriptionOptions, headRevision: bigint): Subscription {
    if (headRevision > this.#head) this.#head = headRevision;
    const subscription = new Subscription(options, this);
    this.#subscriptions.add(subscription);
    this.pulls(subscription);
    return subscription;
  }

  stats(): WatchHubStats {
    return {
      subscriptions: this.#subscriptions.size,
      channels: this.#live.length + this.#others.size,
      historyBytes: this.#bytes,
    };
  }

  /** Ends all subscriptions. */
  [Symbol.dispose](): void {
    for (const subscription of this.#subscriptions) subscription.close();
    this.#cancelTightening?.();
  }

  /** For subscriptions: see {@link SubscriptionOwner}. */
  pulls(subscription: Subscription): void {
    const { channel } = subscription;
    if (channel !== undefined && this.#isLive(channel)) return;
    const span = spanOf(subscription.view.range);
    const live = this.#liveFor(span, subscription.nextRevision);
    if (live.history.from <= subscription.nextRevision) this.#move(subscription, live);
    else if (channel === undefined || channel.history.from > subscription.nextRevision) {
      this.#move(subscription, this.#laggardsFor(span, subscription.nextRevision));
    } else channel.makeRoom();
  }

  /** For subscriptions: see {@link SubscriptionOwner}. */
  closed(subscription: Subscription): void {
    this.#subscriptions.delete(subscription);
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
    this.#bytes += bytes;
    if (bytes <= 0) return;
    while (this.#bytes > this.#options.historyBytes && this.#largest(channel).evict());
  }

  /** For channels: see {@link ChannelOwner}. */
  moved(channel: Channel): void {
    if (channel.history.position > this.#head) this.#head = channel.history.position;
    if (this.#isLive(channel)) return;
    for (const subscription of channel.subscribers) if (subscription.isWaiting) this.pulls(subscription);
  }

  #isLive(channel: Channel): boolean {
    return this.#live[this.#firstEndingAfter(channel.range.start)] === channel;
  }

  /** The live channel that covers a range; made, in place of all that it overlaps, where there is none. */
  #liveFor(span: KeySpan, nextRevision: bigint): Channel {
    const first = this.#firstEndingAfter(span.start);
    const found = this.#live[first];
    if (found !== undefined && covers(found.range, span)) return found;

    let last = first;
    while (overlaps(this.#live[last], span)) last += 1;
    const overlapped = this.#live.slice(first, last);
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
      if (channel.isForLaggards && covers(channel.range, span) && channel.history.from <= nextRevision)
        return channel;
    }
    const channel = this.#open(span, nextRevision, true);
    this.#others.add(channel);
    return channel;
  }

  #open(range: KeySpan, fromRevision: bigint, isForLaggards: boolean): Channel {
    const maxIndexedKeys = isForLaggards ? 0 : this.#options.maxIndexedKeys;
    return new Channel({ range, fromRevision, isForLaggards, maxIndexedKeys }, this.#deps, this);
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

  #closeIfLeft(channel: Channel): void {
    if (channel.subscribers.size > 0) return;
    channel.close();
    this.#bytes -= channel.history.bytes;
    this.#others.delete(channel);
    if (this.#isLive(channel)) this.#live.splice(this.#firstEndingAfter(channel.range.start), 1);
  }

  /** Replaces live channels that are wider than all their subscribers together. */
  #tighten(): void {
    this.#cancelTightening = undefined;
    for (const channel of [...this.#live]) {
      const needed = components([...channel.subscribers].map(({ view }) => spanOf(view.range)));
      const [only] = needed;
      if (needed.length === 1 && only !== undefined && covers(only, channel.range)) continue;
      const narrower = needed.map((range) => this.#open(range, channel.history.position + 1n, false));
      this.#replace(this.#live.indexOf(channel), [channel], narrower);
    }
  }

  /** The channel to take memory from: the one that grew, unless it holds less than most. */
  #largest(grown: Channel): Channel {
    const count = this.#live.length + this.#others.size;
    if (grown.history.bytes * count >= this.#bytes) return grown;
    return [...this.#live, ...this.#others].reduce(
      (a, b) => (b.history.bytes > a.history.bytes ? b : a),
      grown,
    );
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

function overlaps(channel: Channel | undefined, span: KeySpan): boolean {
  if (channel === undefined) return false;
  return span.end === undefined || compareKeys(channel.range.start, span.end) < 0;
}

function union(a: KeySpan, b: KeySpan): KeySpan {
  const start = compareKeys(a.start, b.start) <= 0 ? a.start : b.start;
  if (a.end === undefined || b.end === undefined) return { kind: 'range', start, end: undefined };
  return { kind: 'range', start, end: compareKeys(a.end, b.end) >= 0 ? a.end : b.end };
}

/** The ranges that overlap each other put together; disjoint and in order. */
function components(spans: readonly KeySpan[]): KeySpan[] {
  const merged: KeySpan[] = [];
  for (const span of [...spans].sort((a, b) => compareKeys(a.start, b.start))) {
    const last = merged.at(-1);
    const isApart = last === undefined || (last.end !== undefined && compareKeys(span.start, last.end) >= 0);
    if (isApart) merged.push(span);
    else merged[merged.length - 1] = union(last, span);
  }
  return merged;
}

function least(revisions: readonly bigint[]): bigint {
  const [smallest = 0n] = revisions.toSorted((a, b) => (a < b ? -1 : 1));
  return smallest;
}
