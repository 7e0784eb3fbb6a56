// A lock that is waited for and held as long as a stream is open.

import { DomainError } from '../errors.ts';
import { lockHolderKey } from '../fence.ts';
import { singleKey } from '../key-range.ts';
import { Bell } from '../session/bell.ts';
import { enterSession } from '../session/enter-session.ts';
import type { Session } from '../session/session.ts';
import type { Sessions, SessionToResume } from '../session/sessions.ts';
import type { DeleteOperation, OperationOptions } from '../store.ts';
import { type LockMode, queueKey } from './lock-keys.ts';
import { enqueue, findPlace, isNext, type LockQueueDeps, type Standing, takeTurn } from './lock-queue.ts';
import type { Claim } from './lock-state.ts';
import type { QueuePositions } from './queue-positions.ts';

/** What to hold, and how: anew, or as a stream that broke did. */
export interface HoldQuery {
  readonly name: string;
  readonly start:
    | { readonly kind: 'new'; readonly claim: Claim; readonly ttlSeconds: bigint; readonly graceMs: number }
    | { readonly kind: 'resume'; readonly mode: LockMode; readonly session: SessionToResume };
}

/** How it stands. */
export interface HoldMessage {
  readonly state: 'queued' | 'acquired' | 'lost';
  readonly revision: bigint;
  /** How many stand before it, holders included. */
  readonly position: number;
  /** 0n until it is held. */
  readonly token: bigint;
  readonly session: Pick<Session, 'leaseId' | 'openRevision'>;
  /** Until when the lease may be relied on, by the clock. */
  readonly deadlineMs: number;
}

/** What holding needs. */
export interface HoldDeps extends LockQueueDeps {
  readonly sessions: Sessions;
  readonly positions: QueuePositions;
}

/**
 * Holds a lock until its caller stops: then the place in the queue, or the lock, is given up as its session is.
 *
 * It ends after `lost`. It rejects with LOCK_MODE_MISMATCH, SESSION_NOT_FOUND, SESSION_TAKEN_OVER, and as the store does.
 */
export async function* holdLock(
  deps: HoldDeps,
  { name, start }: HoldQuery,
  options: OperationOptions,
): AsyncGenerator<HoldMessage> {
  const { sessions } = deps;
  const bell = new Bell();
  const ended = new AbortController();
  const session = await enterSession(sessions, start, () => bell.ring(), options);
  let mode = start.kind === 'new' ? start.claim.mode : start.mode;
  let token = 0n;
  let isTold = start.kind === 'resume';
  try {
    const standing = await place(deps, name, start, session, options);
    token = standing.token;
    mode = standing.claim.mode;
    let position = standing.ahead.length;
    let revision = standing.revision;
    const message = (state: HoldMessage['state']): HoldMessage => ({
      state,
      revision,
      position: state === 'queued' ? position : 0,
      token: state === 'acquired' ? token : 0n,
      session,
      deadlineMs: session.deadlineMs,
    });

    let turn: { readonly heldSince: bigint } | { readonly error: unknown } | undefined;
    const signal = AbortSignal.any([options.signal, session.signal, ended.signal]);
    const noted = (ahead: number, at: bigint) => {
      if (at <= revision) return;
      [position, revision] = [ahead, at];
      bell.ring();
    };
    async function lookAhead(): Promise<void> {
      try {
        const seen = await deps.positions.of(name, token);
        if (turn === undefined && seen.position < position) noted(seen.position, seen.revision);
      } catch {
        // The store does not answer; whoever is next is told all the same.
      }
    }
    void takeTurn(deps, standing, noted, { signal })
      .then(
        (heldSince) => {
          turn = { heldSince };
          if (heldSince > revision) revision = heldSince;
        },
        (error: unknown) => {
          turn = { error };
        },
      )
      .finally(() => bell.ring());

    for (;;) {
      await bell.heard(options);
      if (session.over?.reason === 'SESSION_TAKEN_OVER') throw session.over;
      if (session.over !== undefined || (turn !== undefined && 'error' in turn && isPlaceLost(turn.error))) {
        yield message('lost');
        return;
      }
      if (turn !== undefined && 'error' in turn) throw turn.error;
      // One who comes back to a lock that it holds does not wait for it.
      if (turn === undefined && start.kind === 'resume' && isNext(standing)) continue;
      isTold = true;
      yield message(turn === undefined ? 'queued' : 'acquired');
      if (turn === undefined) void lookAhead();
    }
  } finally {
    ended.abort(new Error('the stream ended'));
    await sessions.leave(session, {
      release: keysOf(name, mode, session.leaseId, token),
      isKnown: isTold,
    });
  }
}

async function place(
  deps: HoldDeps,
  name: string,
  start: HoldQuery['start'],
  session: Session,
  options: OperationOptions,
): Promise<Standing> {
  const { leaseId } = session;
  if (start.kind === 'new') return enqueue(deps, name, start.claim, leaseId, options);
  const found = await findPlace(deps, name, start.mode, leaseId, options);
  if (found === undefined) {
    throw new DomainError(
      'SESSION_NOT_FOUND',
      `What the resume token held on lock "${name}" is over; begin anew, without the token`,
      { lease_id: String(leaseId) },
    );
  }
  return found;
}

/** What to delete with the session's record, so that the next in the queue need not wait for the end of the lease. */
function keysOf(name: string, mode: LockMode, leaseId: bigint, token: bigint): readonly DeleteOperation[] {
  const keys = [queueKey(name, mode, leaseId), ...(token === 0n ? [] : [lockHolderKey(name, token)])];
  return keys.map((key) => ({ kind: 'delete', range: singleKey(key) }));
}

function isPlaceLost(error: unknown): boolean {
  return error instanceof DomainError && error.reason === 'LEASE_NOT_FOUND';
}
