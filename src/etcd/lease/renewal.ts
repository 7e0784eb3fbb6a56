import type { AtRevision, GrantedLease } from '../../domain/store.ts';

/** A lease that was renewed. */
export type RenewedLease = AtRevision<GrantedLease>;

/** What a renewal tells its caller, once. */
export interface RenewalOutcome {
  resolve(lease: RenewedLease): void;
  reject(error: unknown): void;
}

/** One renewal that a caller waits for. It settles once; what comes later is ignored. */
export class Renewal {
  readonly leaseId: bigint;
  /** In milliseconds of the monotonic clock. */
  readonly calledMs: number = performance.now();
  readonly #signal: AbortSignal;
  readonly #outcome: RenewalOutcome;
  #isSettled = false;

  constructor(leaseId: bigint, signal: AbortSignal, outcome: RenewalOutcome) {
    this.leaseId = leaseId;
    this.#signal = signal;
    this.#outcome = outcome;
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Rejects with the signal's reason where that has aborted. Looking now and then costs less than a listener for each. */
  heedSignal(): void {
    if (this.#signal.aborted) this.fail(this.#signal.reason);
  }

  succeed(lease: RenewedLease): void {
    this.heedSignal();
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#outcome.resolve(lease);
  }

  fail(error: unknown): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#outcome.reject(error);
  }
}
