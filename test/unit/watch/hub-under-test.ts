// A hub on fakes, and readers that note what it delivers.

import { expect } from 'vitest';
import { type KeySpan, prefixRange } from '../../../src/domain/key-range.ts';
import type { Delivery, Subscription } from '../../../src/domain/watch/subscription.ts';
import { createView, type ViewOptions } from '../../../src/domain/watch/view.ts';
import { WatchHub, type WatchHubOptions } from '../../../src/domain/watch/watch-hub.ts';
import { bytes, text } from './bytes.ts';
import { FakeClock } from './fake-clock.ts';
import { FakeStore } from './fake-store.ts';
import { FakeWatchSource } from './fake-watch-source.ts';
import { settled } from './settled.ts';

/** What was read, or that nothing came in time: nothing at or below `revision` is still to come. */
export type Pulled = Delivery | { readonly kind: 'idle'; readonly revision: bigint };

/** A subscription and what was read from it. */
export interface Reader {
  readonly subscription: Subscription;
  readonly deliveries: readonly Pulled[];
  /** Why it ended. */
  readonly end: unknown;
}

/** Who subscribes. */
export interface SubscribeOptions extends Omit<ViewOptions, 'range'> {
  /** @default every key */
  readonly range?: ViewOptions['range'];
  /** @default the next revision */
  readonly from?: bigint;
  readonly isCoalescing?: boolean;
}

/** How long a pull waits. */
export const PULL_MS = 15_000;

/** One hub and what it stands on. */
export class HubUnderTest {
  readonly store = new FakeStore();
  readonly source = new FakeWatchSource(this.store);
  readonly clock = new FakeClock();
  readonly hub: WatchHub;

  constructor(options: Partial<WatchHubOptions> = {}) {
    const { store, source, clock } = this;
    this.hub = new WatchHub({ store, source, clock, leases: store }, options);
  }

  /** Subscribes, and reads nothing. */
  subscribe({ range = prefixRange(bytes('')), from, isCoalescing = false, ...view }: SubscribeOptions = {}) {
    const nextRevision = from ?? this.store.revision + 1n;
    const options = { view: createView({ range, ...view }), nextRevision, isCoalescing };
    return this.hub.subscribe(options, this.store.revision);
  }

  /** Subscribes, and reads on until the end. */
  read(options: SubscribeOptions = {}): Reader {
    const subscription = this.subscribe(options);
    const deliveries: Pulled[] = [];
    const reader: { -readonly [K in keyof Reader]: Reader[K] } = { subscription, deliveries, end: undefined };
    const readOn = async () => {
      for (;;) {
        const delivery = await this.pull(subscription);
        deliveries.push(delivery);
        if (delivery.kind === 'lost') return;
      }
    };
    readOn().catch((error: unknown) => {
      reader.end = error;
    });
    return reader;
  }

  /** Returns what comes next, or at `untilMs` that nothing came. */
  async pull(subscription: Subscription, untilMs = this.clock.now() + PULL_MS): Promise<Pulled> {
    for (;;) {
      const delivery = subscription.poll();
      if (delivery !== undefined) return delivery;
      if (untilMs <= this.clock.now()) return { kind: 'idle', revision: subscription.nextRevision - 1n };
      await new Promise<void>((wake) => {
        subscription.wait(untilMs, { wake });
      });
    }
  }

  /** Has everything told, and waits for what comes of it. */
  async tellAll(): Promise<void> {
    await this.turn();
    this.source.tellAll();
    await this.turn();
  }

  /** Waits for all that is under way, and for what comes of timers that are due. */
  async turn(): Promise<void> {
    await settled();
    this.clock.advance(0);
    await settled();
  }

  /** Fails where anything is left of subscribers that all have left. */
  expectNothingLeft(): void {
    expect(this.hub.stats()).toEqual({ subscriptions: 0, channels: 0, historyBytes: 0 });
    expect(this.source.watches).toEqual([]);
    expect(this.clock.pendingTimers).toBe(0);
  }
}

/** Returns the range between two keys. */
export function span(start: string, end: string | undefined): KeySpan {
  return { kind: 'range', start: bytes(start), end: end === undefined ? undefined : bytes(end) };
}

/** Returns deliveries as short texts: the revision, then each change as its type and key. */
export function told(deliveries: readonly Pulled[]): readonly string[] {
  return deliveries.map((delivery) => {
    if (delivery.kind === 'lost') return 'lost';
    if (delivery.kind === 'idle') return `idle ${delivery.revision}`;
    const changes = delivery.changes.map(({ type, kv }) => ` ${type} ${text(kv.key)}`).join('');
    return `${delivery.kind} ${delivery.revision}${changes}`;
  });
}
