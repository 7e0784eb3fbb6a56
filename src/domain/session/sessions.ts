// Opens sessions, keeps their leases, and ends them as their streams do.
//
// Each session has a record in the store, on its own lease, so that it is gone with it. Whoever writes the record last keeps the
// session: a stream that comes back writes it anew, at this replica or another, and the one that kept the session until then sees
// that in the mirror of the records and lets go. Who ends a session deletes its record first, on condition that it is still its own:
// so a stream that came back in time is never cut off by the end of the one before.

import type { Clock } from '../clock.ts';
import { writtenAt } from '../conditions.ts';
import { DomainError } from '../errors.ts';
import { singleKey } from '../key-range.ts';
import { endLease } from '../lease/end-lease.ts';
import { grantLease } from '../lease/grant-lease.ts';
import type { KeptLease, LeaseEngine } from '../lease/lease-engine.ts';
import { sessionKey } from '../lease/lease-keys.ts';
import type { RecordListener } from '../lease/lease-records.ts';
import type { KeyValueStore, LeaseStore, Operation, OperationOptions } from '../store.ts';
import { delay } from '../watch/delay.ts';
import type { Mirror } from '../watch/mirror.ts';
import { Session } from './session.ts';
import { graceIn, readOf, recordIn, recordOf } from './session-record.ts';

/** What sessions need. */
export interface SessionsDeps {
  readonly store: KeyValueStore;
  readonly leases: LeaseStore;
  readonly engine: LeaseEngine;
  readonly clock: Clock;
}

/** Which session to open: on a lease that exists, or on a new one. */
export interface SessionRequest {
  readonly lease:
    | { readonly kind: 'existing'; readonly leaseId: bigint }
    | { readonly kind: 'new'; readonly ttlSeconds: bigint };
  /** How long it outlives its stream. */
  readonly graceMs: number;
}

/** A session whose stream is gone and may come back. */
export interface SessionToResume {
  readonly leaseId: bigint;
  readonly openRevision: bigint;
}

/** How a stream leaves its session. */
export interface Leaving {
  /** What else to delete the moment the session ends; its lease's keys follow. @default nothing */
  readonly release?: readonly Operation[];
  /** Whether the lease is left to end by itself, since nobody renews it any more. @default false, it is revoked */
  readonly isLeaseLeft?: boolean;
  /** Whether the caller was told how to take the session up again: else nobody can, and it ends at once. @default true */
  readonly isKnown?: boolean;
}

const RESUME_ATTEMPTS = 5;
const RETRY_MS = 500;

interface Kept {
  readonly session: Session;
  readonly lease: KeptLease;
  cancelGrace: (() => void) | undefined;
}

/** The sessions of this gateway. */
export class Sessions {
  readonly #deps: SessionsDeps;
  readonly #kept = new Map<bigint, Kept>();
  #isDraining = false;

  constructor(deps: SessionsDeps) {
    this.#deps = deps;
  }

  /** How many there are, waiting ones included. */
  get size(): number {
    return this.#kept.size;
  }

  /**
   * Opens a session. A session that another stream has on the same lease is taken over.
   *
   * Rejects with LEASE_NOT_FOUND, and as the store does; a lease that was granted for it is then gone.
   *
   * @param onChange called when the session's deadline moves, and when it is over. It must neither throw nor wait.
   */
  async open(
    { lease, graceMs }: SessionRequest,
    onChange: () => void,
    options: OperationOptions,
  ): Promise<Session> {
    const { store, leases, clock } = this.#deps;
    const sentMs = clock.now();
    // A new lease outlives a gateway that is killed for as long as its stream may come back, a third of it being used up by then.
    const { leaseId, ttlSeconds } =
      lease.kind === 'existing'
        ? await leases.keepAlive(lease.leaseId, options)
        : await grantLease(
            this.#deps,
            { ttlSeconds: greatest(lease.ttlSeconds, wholeSeconds(graceMs * 1.5)) },
            options,
          );
    const details = { leaseId, ttlSeconds, graceMs };
    try {
      const success = [recordOf(leaseId, graceMs), readOf(leaseId)];
      const { results, revision } = await store.txn(
        { kind: 'txn', compares: [], success, failure: [] },
        options,
      );
      const openRevision = recordIn(results[1])?.createRevision ?? revision;
      return this.#keep(new Session({ ...details, revision, openRevision }, onChange), sentMs);
    } catch (error) {
      if (lease.kind === 'new') void endLease(this.#deps, details);
      throw error;
    }
  }

  /**
   * Takes a session up again, from whichever replica had it.
   *
   * Rejects with SESSION_NOT_FOUND where it is over, and as the store does.
   */
  async resume(
    { leaseId, openRevision }: SessionToResume,
    onChange: () => void,
    options: OperationOptions,
  ): Promise<Session> {
    const { store, leases, clock } = this.#deps;
    for (let tries = 1; tries <= RESUME_ATTEMPTS; tries++) {
      const sentMs = clock.now();
      const { ttlSeconds } = await leases.keepAlive(leaseId, options).catch((error: unknown) => {
        throw isLeaseGone(error) ? sessionNotFound(leaseId) : error;
      });
      const [record] = (await store.read(readOf(leaseId), options)).kvs;
      if (record?.createRevision !== openRevision) throw sessionNotFound(leaseId);
      const graceMs = graceIn(record);
      const compares = [writtenAt(sessionKey(leaseId), record.modRevision)];
      const success = [recordOf(leaseId, graceMs)];
      const { succeeded, revision } = await store.txn(
        { kind: 'txn', compares, success, failure: [] },
        options,
      );
      const details = { leaseId, ttlSeconds, graceMs, revision, openRevision };
      if (succeeded) return this.#keep(new Session(details, onChange), sentMs);
    }
    throw takenOver(leaseId);
  }

  /**
   * The stream of a session ended: it is ended too, or waits for its grace to pass. Where the gateway is draining, a session with
   * grace is left as it is, for another replica to take it up. Never rejects.
   */
  async leave(session: Session, leaving: Leaving = {}): Promise<void> {
    const kept = this.#kept.get(session.leaseId);
    if (session.over !== undefined || kept?.session !== session) return;
    if (session.graceMs === 0 || leaving.isKnown === false) await this.#end(kept, leaving);
    else if (this.#isDraining) await this.#leaveToOthers(kept);
    else kept.cancelGrace = this.#deps.clock.after(session.graceMs, () => void this.#end(kept, leaving));
  }

  /** From now on sessions with grace are left to other replicas, those that wait too. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    const waiting = [...this.#kept.values()].filter(({ cancelGrace }) => cancelGrace !== undefined);
    await Promise.all(waiting.map((kept) => this.#leaveToOthers(kept)));
  }

  /** Takes the records of sessions, of this gateway and of others. */
  readonly records: RecordListener<'session'> = {
    changed: ({ leaseId }, { kv, revision }) => {
      const kept = this.#kept.get(leaseId);
      if (kept !== undefined) this.#compare(kept, kv?.modRevision, revision);
    },
    synced: (revision) => {
      for (const kept of this.#kept.values()) {
        const record = this.#mirror?.get(sessionKey(kept.session.leaseId));
        this.#compare(kept, record?.modRevision, revision);
      }
    },
  };
  #mirror: Mirror | undefined;

  /** Says where the records are mirrored. */
  follow(mirror: Mirror): void {
    this.#mirror = mirror;
  }

  #keep(session: Session, sentMs: number): Session {
    const { leaseId, ttlSeconds } = session;
    const before = this.#kept.get(leaseId);
    // Answers may come in another order than the writes were done.
    if (before !== undefined && before.session.revision > session.revision) {
      session.finish(takenOver(leaseId));
      return session;
    }
    if (before !== undefined) this.#letGo(before, takenOver(leaseId));
    const lease = this.#deps.engine.keep(
      { leaseId, ttlSeconds, sentMs },
      {
        renewed: (renewed) => session.renewed(renewed),
        lost: (error, cause) => {
          this.#letGo(kept, error);
          // Nobody relies on it any more: others need not wait for the store to end it.
          if (cause === 'late') void this.#endInStore(session, {});
        },
      },
    );
    const kept: Kept = { session, lease, cancelGrace: undefined };
    this.#kept.set(leaseId, kept);
    session.renewed(lease);
    // What became of the record between its writing and now was told to nobody.
    const mirror = this.#mirror;
    if (mirror !== undefined && mirror.revision >= session.revision)
      this.#compare(kept, mirror.get(sessionKey(leaseId))?.modRevision, mirror.revision);
    return session;
  }

  /** Holds a session against its record, as it was at `revision`. */
  #compare(kept: Kept, modRevision: bigint | undefined, revision: bigint): void {
    const { session } = kept;
    if (revision < session.revision || modRevision === session.revision) return;
    const { leaseId } = session;
    this.#letGo(kept, modRevision === undefined ? leaseEnded(leaseId) : takenOver(leaseId));
  }

  #letGo(kept: Kept, error: DomainError): void {
    const { session, lease, cancelGrace } = kept;
    cancelGrace?.();
    this.#deps.engine.release(lease);
    if (this.#kept.get(session.leaseId) === kept) this.#kept.delete(session.leaseId);
    session.finish(error);
  }

  async #end(kept: Kept, leaving: Leaving): Promise<void> {
    this.#letGo(kept, leaseEnded(kept.session.leaseId));
    await this.#endInStore(kept.session, leaving);
  }

  /** Unless another stream has taken the session up; tried again for as long as the lease may live without being renewed. */
  async #endInStore(session: Session, { release = [], isLeaseLeft = false }: Leaving): Promise<void> {
    const { store, clock } = this.#deps;
    const { leaseId, revision, ttlSeconds } = session;
    const { signal } = new AbortController();
    const compares = [writtenAt(sessionKey(leaseId), revision)];
    const success = [{ kind: 'delete', range: singleKey(sessionKey(leaseId)) } as const, ...release];
    const failure = [readOf(leaseId)];
    const untilMs = clock.now() + Number(ttlSeconds) * 1_000;
    // Whether an attempt before may have deleted the record: else, where it is gone, the lease has ended, and one that has its id
    // is another.
    let isRetry = false;
    while (clock.now() < untilMs) {
      try {
        const { succeeded, results } = await store.txn(
          { kind: 'txn', compares, success, failure },
          { signal },
        );
        const isOurs = succeeded || (isRetry && recordIn(results[0]) === undefined);
        if (isOurs && !isLeaseLeft) await endLease(this.#deps, session);
        return;
      } catch {
        // The store does not answer.
        isRetry = true;
        await delay(clock, RETRY_MS, { signal });
      }
    }
  }

  /** The lease lives on for its whole time to live. */
  async #leaveToOthers(kept: Kept): Promise<void> {
    const { leaseId } = kept.session;
    // One that cannot be renewed now was renewed a third of its time to live ago, or less.
    await this.#deps.leases.keepAlive(leaseId, new AbortController()).catch(() => {});
    this.#letGo(kept, leaseEnded(leaseId));
  }
}

function wholeSeconds(ms: number): bigint {
  return BigInt(Math.ceil(ms / 1_000));
}

function greatest(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function isLeaseGone(error: unknown): boolean {
  return error instanceof DomainError && error.reason === 'LEASE_NOT_FOUND';
}

function leaseEnded(leaseId: bigint): DomainError {
  return new DomainError('LEASE_NOT_FOUND', `Lease ${leaseId} has ended; it expired or was revoked`, {
    lease_id: String(leaseId),
  });
}

function sessionNotFound(leaseId: bigint): DomainError {
  return new DomainError(
    'SESSION_NOT_FOUND',
    `What the resume token held on lease ${leaseId} is over; begin anew, without the token`,
    { lease_id: String(leaseId) },
  );
}

function takenOver(leaseId: bigint): DomainError {
  return new DomainError(
    'SESSION_TAKEN_OVER',
    `Another stream has taken up the session on lease ${leaseId}; this one is over`,
    { lease_id: String(leaseId) },
  );
}
