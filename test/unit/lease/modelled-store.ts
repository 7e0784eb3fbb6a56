import type { Clock } from '../../../src/domain/clock.ts';
import type { AtRevision, GrantedLease, LeaseStore, OperationOptions } from '../../../src/domain/store.ts';
import { leaseGone, storeAway } from './scripted-renewals.ts';

/** What becomes of one renewal. */
export interface RenewalFate {
  /** How long it takes to reach the store; undefined: it never does. */
  readonly reachMs: number | undefined;
  /** How long its answer takes from there; undefined: it never comes. */
  readonly answerMs: number | undefined;
  /** Whether the answer is that nothing is known of it, though it may have reached the store. */
  readonly isFailed: boolean;
}

/** The leases of a store of which the test knows everything. */
export class ModelledStore implements Pick<LeaseStore, 'keepAlive'> {
  readonly #clock: Clock;
  readonly #ttlMs: number;
  readonly #fates: readonly RenewalFate[];
  /** When each lease ends, by the clock. */
  readonly #expireMs = new Map<bigint, number>();
  /** When each renewal was asked for, and of which lease. */
  readonly asked: { readonly leaseId: bigint; readonly atMs: number }[] = [];

  /** @param fates of the renewals in their order, over and over. */
  constructor(clock: Clock, ttlMs: number, fates: readonly RenewalFate[]) {
    this.#clock = clock;
    this.#ttlMs = ttlMs;
    this.#fates = fates;
  }

  /** The grant reaches the store now. */
  grant(leaseId: bigint): void {
    this.#expireMs.set(leaseId, this.#clock.now() + this.#ttlMs);
  }

  expireMs(leaseId: bigint): number {
    return this.#expireMs.get(leaseId) ?? Number.NEGATIVE_INFINITY;
  }

  keepAlive(leaseId: bigint, _options: OperationOptions): Promise<AtRevision<GrantedLease>> {
    const fate = this.#fates[this.asked.length % this.#fates.length];
    this.asked.push({ leaseId, atMs: this.#clock.now() });
    const { promise, resolve, reject } = Promise.withResolvers<AtRevision<GrantedLease>>();
    const answer = (isRenewed: boolean) => {
      if (fate?.answerMs === undefined) return;
      this.#clock.after(fate.answerMs, () => {
        if (fate.isFailed) reject(storeAway());
        else if (isRenewed) resolve({ leaseId, ttlSeconds: BigInt(this.#ttlMs / 1_000), revision: 1n });
        else reject(leaseGone(leaseId));
      });
    };
    if (fate?.reachMs !== undefined) this.#clock.after(fate.reachMs, () => answer(this.#renew(leaseId)));
    else if (fate?.isFailed) answer(false);
    return promise;
  }

  #renew(leaseId: bigint): boolean {
    const nowMs = this.#clock.now();
    if (this.expireMs(leaseId) <= nowMs) return false;
    this.#expireMs.set(leaseId, nowMs + this.#ttlMs);
    return true;
  }
}
