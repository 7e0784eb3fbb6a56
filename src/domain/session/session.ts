// A lease that lives as long as a stream: what Hold, Campaign and everything else is made of that is gone with its caller.
//
// States:
// - open: the gateway renews the lease.
// - waiting: its stream ended, and its grace runs; the gateway goes on renewing.
// - over: the lease ended, another stream took the session up, or it was ended here. It never opens again.

import type { DomainError } from '../errors.ts';
import type { KeptLease } from '../lease/lease-engine.ts';

/** What makes a session. */
export interface SessionDetails {
  readonly leaseId: bigint;
  readonly ttlSeconds: bigint;
  readonly graceMs: number;
  /** The revision at which it was opened, or taken up again: its record was written then, and by nobody else since. */
  readonly revision: bigint;
  /** The revision at which it was opened first; a lease that is held anew later has another. */
  readonly openRevision: bigint;
}

/** Made by {@link Sessions}. */
export class Session {
  readonly leaseId: bigint;
  readonly ttlSeconds: bigint;
  readonly graceMs: number;
  readonly revision: bigint;
  readonly openRevision: bigint;
  readonly #abort = new AbortController();
  readonly #onChange: () => void;
  #deadlineMs = 0;
  #over: DomainError | undefined;

  /** @param onChange called when the deadline moves, and when the session is over. It must neither throw nor wait. */
  constructor(details: SessionDetails, onChange: () => void) {
    this.leaseId = details.leaseId;
    this.ttlSeconds = details.ttlSeconds;
    this.graceMs = details.graceMs;
    this.revision = details.revision;
    this.openRevision = details.openRevision;
    this.#onChange = onChange;
  }

  /** Until when the lease may be relied on, by the clock. */
  get deadlineMs(): number {
    return this.#deadlineMs;
  }

  /** Why it is over: LEASE_NOT_FOUND or SESSION_TAKEN_OVER; undefined while it is not. */
  get over(): DomainError | undefined {
    return this.#over;
  }

  /** Aborted, with the same, when it is over. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** For {@link Sessions}: the lease was renewed. */
  renewed({ deadlineMs }: KeptLease): void {
    this.#deadlineMs = deadlineMs;
    this.#onChange();
  }

  /** For {@link Sessions}: it is over. */
  finish(error: DomainError): void {
    if (this.#over !== undefined) return;
    this.#over = error;
    this.#abort.abort(error);
    this.#onChange();
  }
}
