// Goes on serving the instances of a service that were lost all at once.
//
// Instances expire one by one when they die; when many expire together, it is rather the way to them that is broken: the network, or
// etcd that was paused for longer than their time to live. A guarded service then keeps those that it has lost, until enough of
// them are back or the guard has held for as long as it may. What was taken out on purpose is not lost.

import type { Clock } from '../clock.ts';
import type { Instance } from './instance.ts';

/** When a guard holds. */
export interface GuardOptions {
  /** 1 to 99. */
  readonly maxLossPercent: number;
  readonly windowMs: number;
  /** For how long it holds at most. */
  readonly holdMs: number;
}

/** What a guard adds to what is registered. */
export interface Guarded {
  readonly lost: readonly Instance[];
  readonly reason: string;
}

interface Loss {
  readonly instance: Instance;
  readonly atMs: number;
}

/** Watches over one service. */
export class LossGuard {
  readonly #clock: Clock;
  #options: GuardOptions;
  /** By instance id; those of the window, or, while it holds, all. */
  readonly #losses = new Map<string, Loss>();
  #heldSinceMs: number | undefined;
  #reason = '';

  constructor(clock: Clock, options: GuardOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  /** What it holds, it goes on holding as the new options say. */
  configure(options: GuardOptions): void {
    this.#options = options;
  }

  /** An instance expired. */
  expired(instance: Instance): void {
    this.#losses.set(instance.instanceId, { instance, atMs: this.#clock.now() });
  }

  /** An instance is there, or was taken out on purpose. */
  accounted(instanceId: string): void {
    this.#losses.delete(instanceId);
  }

  /** Returns what to serve beside the `alive` instances; undefined: nothing, the guard does not hold. */
  held(alive: number): Guarded | undefined {
    if (!this.settle(alive)) return undefined;
    return { lost: [...this.#losses.values()].map(({ instance }) => instance), reason: this.#reason };
  }

  /** Begins or ends to hold, where `alive` instances are left; returns whether it holds. To be told of each loss when it happens. */
  settle(alive: number): boolean {
    const { maxLossPercent, windowMs, holdMs } = this.#options;
    const nowMs = this.#clock.now();
    if (this.#heldSinceMs !== undefined && nowMs - this.#heldSinceMs > holdMs) this.#release();
    if (this.#heldSinceMs === undefined) {
      for (const [id, { atMs }] of this.#losses) if (atMs < nowMs - windowMs) this.#losses.delete(id);
    }
    const lost = this.#losses.size;
    const all = alive + lost;
    if (lost * 100 <= all * maxLossPercent) {
      if (this.#heldSinceMs !== undefined) this.#release();
      return false;
    }
    if (this.#heldSinceMs === undefined) {
      this.#heldSinceMs = nowMs;
      this.#reason = `${lost} of ${all} instances expired within ${windowMs / 1_000} s, more than ${maxLossPercent} %`;
    }
    return true;
  }

  #release(): void {
    this.#losses.clear();
    this.#heldSinceMs = undefined;
  }
}
