// Probes the instances whose leases this replica renews.
//
// States of one: up → (failures in a row) down → (failing for long) given up: its lease is renewed no longer, by nobody, and it
// expires. One answer that is good makes it up again. A status that somebody has set to take it out (draining, starting) stays.

import type { Clock } from '../clock.ts';
import { singleKey } from '../key-range.ts';
import { renewedKey } from '../lease/lease-keys.ts';
import { delay } from '../watch/delay.ts';
import type { Instance } from './instance.ts';
import { type ProbedInstance, type Prober, readProbed } from './probe.ts';
import { NO_CONDITIONS, type RegistrationDeps, readRegistered, setStatus } from './registration.ts';

/** What probing needs. */
export interface ProbingDeps extends RegistrationDeps {
  readonly prober: Prober;
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
}

/** Probes those that it is assigned. */
export class Probing implements Disposable {
  readonly #deps: ProbingDeps;
  readonly #running = new Map<bigint, AbortController>();

  constructor(deps: ProbingDeps) {
    this.#deps = deps;
  }

  /** How many it probes. */
  get size(): number {
    return this.#running.size;
  }

  /** This replica renews a lease from now on; `value` is what is written about that. */
  assigned(leaseId: bigint, value: Uint8Array): void {
    const probed = readProbed(value);
    if (probed === undefined || this.#running.has(leaseId)) return;
    const abort = new AbortController();
    this.#running.set(leaseId, abort);
    void this.#run(leaseId, probed, abort.signal);
  }

  /** It does so no longer. */
  released(leaseId: bigint): void {
    this.#running.get(leaseId)?.abort(new Error('the lease is renewed elsewhere, or no longer'));
    this.#running.delete(leaseId);
  }

  [Symbol.dispose](): void {
    for (const leaseId of [...this.#running.keys()]) this.released(leaseId);
  }

  async #run(leaseId: bigint, probed: ProbedInstance, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#deps;
    const { intervalMs, failureThreshold, giveUpAfterMs } = probed.probe;
    let failures = 0;
    let failingSinceMs: number | undefined;
    // Those that were registered together are not asked together.
    await delay(clock, intervalMs * random(), { signal });
    while (!signal.aborted) {
      try {
        const { instance } = await readRegistered(this.#deps, probed, { signal });
        if (instance?.leaseId === leaseId) {
          const isGood = await this.#ask(instance, probed, signal);
          failures = isGood ? 0 : failures + 1;
          failingSinceMs = isGood ? undefined : (failingSinceMs ?? clock.now());
          if (isGood) await this.#mark(instance, 'UP', signal);
          else if (failures >= failureThreshold) await this.#mark(instance, 'DOWN', signal);
          if (clock.now() - (failingSinceMs ?? clock.now()) >= giveUpAfterMs)
            await this.#giveUp(leaseId, signal);
        }
      } catch {
        // The store does not answer, or the instance is changing: the next round tells.
      }
      await delay(clock, intervalMs, { signal });
    }
  }

  async #ask(instance: Instance, { probe }: ProbedInstance, signal: AbortSignal): Promise<boolean> {
    const { prober, clock } = this.#deps;
    const late = new AbortController();
    const cancel = clock.after(probe.timeoutMs, () => late.abort(new Error('no answer in time')));
    try {
      const target = { host: instance.host, port: probe.port || instance.port };
      await prober.ask(probe.check, target, { signal: AbortSignal.any([signal, late.signal]) });
      return true;
    } catch {
      signal.throwIfAborted();
      return false;
    } finally {
      cancel();
    }
  }

  /** Sets UP or DOWN where it is the other of them. */
  async #mark(instance: Instance, status: 'UP' | 'DOWN', signal: AbortSignal): Promise<void> {
    if (instance.status !== (status === 'UP' ? 'DOWN' : 'UP')) return;
    const conditions = { ...NO_CONDITIONS, expectedRevision: instance.revision };
    await setStatus(this.#deps, instance, status, conditions, { signal });
  }

  async #giveUp(leaseId: bigint, signal: AbortSignal): Promise<void> {
    const range = singleKey(renewedKey(leaseId));
    const success = [{ kind: 'delete', range } as const];
    await this.#deps.store.txn({ kind: 'txn', compares: [], success, failure: [] }, { signal });
  }
}
