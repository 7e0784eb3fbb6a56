// Keeps leases alive, any number of them with one timer, and says in time when one may no longer be relied on.
//
// A kept lease is resting until its next renewal is due, or ready to be renewed, or being renewed; each of these ends at its deadline
// at the latest. No more than some renewals are under way at a time, so that one that is urgent never waits behind many that are
// not: of those that are ready, the one with the earliest deadline goes first. The deadline is
// counted from when the last renewal that succeeded was called, not from its answer, less a margin: so no holder believes in a lease
// longer than the store does, whatever became of the answer. All times are those of a clock that never goes back.

import type { Clock } from '../clock.ts';
import { type Due, DueQueue } from '../due-queue.ts';
import { DomainError } from '../errors.ts';
import type { LeaseStore } from '../store.ts';

/** What a lease engine needs. */
export interface LeaseEngineDeps {
  readonly leases: Pick<LeaseStore, 'keepAlive'>;
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
}

/** Which lease to keep. */
export interface LeaseToKeep {
  readonly leaseId: bigint;
  readonly ttlSeconds: bigint;
  /** When its grant or its last renewal was called, by the clock. */
  readonly sentMs: number;
  /** When to renew it first. @default at a third of its time to live */
  readonly renewAtMs?: number;
}

/** Is told what becomes of a lease. Its methods must neither throw nor wait. */
export interface LeaseKeeper {
  /** It was renewed: its deadline moved. */
  renewed?(lease: KeptLease): void;
  /**
   * Nobody may rely on it any more, and the engine has let go of it: the store has `ended` it, or it is `late`: it could not be
   * renewed in time, and may be alive or not. The error is LEASE_NOT_FOUND.
   */
  lost(error: DomainError, cause: 'ended' | 'late'): void;
}

/** What an engine does at the moment. */
export interface LeaseEngineStats {
  readonly kept: number;
  /** Renewals that the store has not answered. */
  readonly inFlight: number;
  /** Leases lost since the start. */
  readonly lost: number;
}

/** Renewals that fall due within this time are sent together. */
const TICK_MS = 10;
/**
 * Renewals that may be under way at a time: one that is urgent waits for those sent before it. On a machine with ten times too much
 * to do 500 took longer than the second and a half that a lease of 3 s leaves them.
 */
const MAX_IN_FLIGHT = 128;
/** The timer looks again at least so often: one of Node.js holds no more than 2^31 ms. */
const MAX_TIMER_MS = 86_400_000;
const MIN_RETRY_MS = 50;
const MAX_RETRY_MS = 1_000;
const MAX_MARGIN_MS = 1_000;

/** Returns how long before its end a lease is no longer relied on: a sixth of its time to live, at most 1 s. */
export function marginMs(ttlMs: number): number {
  return Math.min(ttlMs / 6, MAX_MARGIN_MS);
}

/** A lease that the engine keeps. */
export class KeptLease implements Due {
  readonly leaseId: bigint;
  readonly keeper: LeaseKeeper;
  ttlMs: number;
  /** Until when it may be relied on, by the clock. */
  deadlineMs: number;
  dueMs = 0;
  place = -1;
  state: 'resting' | 'ready' | 'renewing' = 'resting';
  failures = 0;
  isReleased = false;

  constructor({ leaseId, ttlSeconds, sentMs }: LeaseToKeep, keeper: LeaseKeeper) {
    this.leaseId = leaseId;
    this.keeper = keeper;
    this.ttlMs = Number(ttlSeconds) * 1_000;
    this.deadlineMs = sentMs + this.ttlMs - marginMs(this.ttlMs);
  }
}

/** Renews leases until they are released or lost. */
export class LeaseEngine implements Disposable {
  readonly #deps: LeaseEngineDeps;
  /** Those that rest, by when they are to be renewed, and those that are being renewed, by their deadlines. */
  readonly #queue = new DueQueue<KeptLease>();
  /** Those that are ready, by their deadlines. */
  readonly #ready = new DueQueue<KeptLease>();
  readonly #abort = new AbortController();
  #cancelTimer: (() => void) | undefined;
  #timerMs = Number.POSITIVE_INFINITY;
  #inFlight = 0;
  #lost = 0;

  constructor(deps: LeaseEngineDeps) {
    this.#deps = deps;
  }

  /** Keeps a lease alive from now on. */
  keep(lease: LeaseToKeep, keeper: LeaseKeeper): KeptLease {
    const kept = new KeptLease(lease, keeper);
    this.#queue.set(kept, lease.renewAtMs ?? this.#nextRenewal(kept, lease.sentMs));
    this.#arm();
    return kept;
  }

  /** Lets go of a lease: it ends at its time to live, unless somebody else renews it. Idempotent. */
  release(kept: KeptLease): void {
    kept.isReleased = true;
    (kept.state === 'ready' ? this.#ready : this.#queue).delete(kept);
  }

  stats(): LeaseEngineStats {
    return { kept: this.#queue.size + this.#ready.size, inFlight: this.#inFlight, lost: this.#lost };
  }

  /** Renews nothing any more. */
  [Symbol.dispose](): void {
    this.#cancelTimer?.();
    this.#abort.abort(new DomainError('SHUTTING_DOWN', 'The gateway is shutting down'));
  }

  #tick(): void {
    this.#timerMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#deps.clock.now();
    for (let kept = this.#queue.first; kept !== undefined && kept.dueMs <= nowMs; kept = this.#queue.first) {
      if (nowMs >= kept.deadlineMs) this.#lose(kept, notRenewedInTime(kept), 'late');
      else if (kept.state === 'renewing') this.#queue.set(kept, kept.deadlineMs);
      else this.#makeReady(kept);
    }
    for (let kept = this.#ready.first; kept !== undefined && kept.dueMs <= nowMs; kept = this.#ready.first)
      this.#lose(kept, notRenewedInTime(kept), 'late');
    this.#renewReady();
    this.#arm();
  }

  #makeReady(kept: KeptLease): void {
    this.#queue.delete(kept);
    kept.state = 'ready';
    this.#ready.set(kept, kept.deadlineMs);
  }

  #renewReady(): void {
    for (let kept = this.#ready.first; kept !== undefined; kept = this.#ready.first) {
      if (this.#inFlight >= MAX_IN_FLIGHT || this.#abort.signal.aborted) return;
      this.#ready.delete(kept);
      void this.#renew(kept);
    }
  }

  async #renew(kept: KeptLease): Promise<void> {
    const sentMs = this.#deps.clock.now();
    kept.state = 'renewing';
    this.#queue.set(kept, kept.deadlineMs);
    this.#inFlight += 1;
    try {
      const { ttlSeconds } = await this.#deps.leases.keepAlive(kept.leaseId, this.#abort);
      kept.state = 'resting';
      if (!kept.isReleased) this.#renewed(kept, sentMs, Number(ttlSeconds) * 1_000);
    } catch (error) {
      kept.state = 'resting';
      if (!kept.isReleased) this.#failed(kept, error);
    } finally {
      this.#inFlight -= 1;
      this.#renewReady();
      this.#arm();
    }
  }

  #renewed(kept: KeptLease, sentMs: number, ttlMs: number): void {
    kept.failures = 0;
    kept.ttlMs = ttlMs;
    kept.deadlineMs = sentMs + ttlMs - marginMs(ttlMs);
    this.#queue.set(kept, this.#nextRenewal(kept, sentMs));
    kept.keeper.renewed?.(kept);
  }

  #failed(kept: KeptLease, error: unknown): void {
    if (error instanceof DomainError && error.reason === 'LEASE_NOT_FOUND') {
      this.#lose(kept, error, 'ended');
      return;
    }
    const longestMs = Math.min(MAX_RETRY_MS, kept.ttlMs / 10);
    const delayMs =
      Math.min(longestMs, MIN_RETRY_MS * 2 ** kept.failures++) * (0.5 + this.#deps.random() / 2);
    this.#queue.set(kept, Math.min(this.#deps.clock.now() + delayMs, kept.deadlineMs));
  }

  #lose(kept: KeptLease, error: DomainError, cause: 'ended' | 'late'): void {
    this.release(kept);
    this.#lost += 1;
    kept.keeper.lost(error, cause);
  }

  /** At a third of the time to live, a little earlier by chance: leases that were granted together are not renewed together. */
  #nextRenewal({ ttlMs }: KeptLease, sentMs: number): number {
    return sentMs + (ttlMs / 3) * (0.8 + 0.2 * this.#deps.random());
  }

  #arm(): void {
    const [next, ready] = [this.#queue.first, this.#ready.first];
    const dueMs = Math.min(next?.dueMs ?? Number.POSITIVE_INFINITY, ready?.dueMs ?? Number.POSITIVE_INFINITY);
    if (dueMs >= this.#timerMs || this.#abort.signal.aborted) return;
    this.#cancelTimer?.();
    this.#timerMs = dueMs;
    const delayMs = Math.max(TICK_MS, dueMs - this.#deps.clock.now());
    this.#cancelTimer = this.#deps.clock.after(Math.min(delayMs, MAX_TIMER_MS), () => this.#tick());
  }
}

function notRenewedInTime({ leaseId }: KeptLease): DomainError {
  return new DomainError(
    'LEASE_NOT_FOUND',
    `Lease ${leaseId} could not be renewed in time: it may have expired, and nobody may rely on it`,
    { lease_id: String(leaseId) },
  );
}
