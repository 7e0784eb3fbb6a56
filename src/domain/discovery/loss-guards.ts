// The loss guards of all services: what the store says of them, and what they hold.

import type { Clock } from '../clock.ts';
import type { KeyValueStore, WatchSource } from '../store.ts';
import { Mirror } from '../watch/mirror.ts';
import type { Directory } from './directory.ts';
import { GUARD_KEYS, guardedService } from './discovery-keys.ts';
import { type Guarded, type GuardOptions, LossGuard } from './loss-guard.ts';

/** What they need. */
export interface LossGuardsDeps {
  readonly store: KeyValueStore;
  readonly source: WatchSource;
  readonly clock: Clock;
  readonly directory: Directory;
}

/** Follows until it is disposed. */
export class LossGuards implements Disposable {
  readonly #guards = new Map<string, LossGuard>();
  readonly #mirror: Mirror;
  readonly #stop: () => void;

  constructor({ store, source, clock, directory }: LossGuardsDeps) {
    this.#mirror = new Mirror({ store, source, clock }, GUARD_KEYS, {
      changed: ({ key, kv }) => {
        const service = guardedService(key);
        const options = kv && readGuard(kv.value);
        const guard = this.#guards.get(service);
        if (options === undefined) this.#guards.delete(service);
        else if (guard === undefined) this.#guards.set(service, new LossGuard(clock, options));
        else guard.configure(options);
      },
    });
    const touched = new Set<string>();
    this.#stop = directory.listen({
      changed: (service, before, after, isExpired) => {
        const guard = this.#guards.get(service);
        if (guard === undefined) return;
        touched.add(service);
        if (after === undefined && before !== undefined && isExpired) guard.expired(before);
        else guard.accounted((after ?? before)?.instanceId ?? '');
      },
      // Whether too many were lost at once shows at once, not when somebody asks.
      settled: () => {
        for (const service of touched) this.#guards.get(service)?.settle(directory.count(service));
        touched.clear();
      },
    });
  }

  /** Returns what the guard of a service holds, where `alive` instances are registered. */
  held(service: string, alive: number): Guarded | undefined {
    return this.#guards.get(service)?.held(alive);
  }

  [Symbol.dispose](): void {
    this.#stop();
    this.#mirror[Symbol.dispose]();
  }
}

/** Returns the value of a guard's key. */
export function guardValue(options: GuardOptions): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(options));
}

/** Returns what a guard's key says; undefined: it is off. */
export function readGuard(value: Uint8Array): GuardOptions | undefined {
  try {
    const fields: unknown = JSON.parse(new TextDecoder().decode(value));
    if (typeof fields !== 'object' || fields === null) return undefined;
    const [maxLossPercent, windowMs, holdMs] = ['maxLossPercent', 'windowMs', 'holdMs'].map((name) =>
      Number(Reflect.get(fields, name)),
    );
    return maxLossPercent && windowMs && holdMs ? { maxLossPercent, windowMs, holdMs } : undefined;
  } catch {
    return undefined;
  }
}
