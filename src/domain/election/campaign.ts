// Standing for election, and leading, for as long as a stream is open.
//
// Each candidate follows the keys of its election, together with the others at its gateway. One who finds that it is its turn takes
// the leader's key, in a transaction that holds only while nobody leads, its own key exists, and nobody else is to lead next.
// What the watch tells may be late: before a candidate is told that it leads, each time, the leader's key is read again.

import type { Clock } from '../clock.ts';
import { createdAt, isAbsent, writtenAt } from '../conditions.ts';
import { DomainError } from '../errors.ts';
import { leaderKey } from '../fence.ts';
import { singleKey } from '../key-range.ts';
import { persistently } from '../persistently.ts';
import { Bell } from '../session/bell.ts';
import { enterSession } from '../session/enter-session.ts';
import type { Session } from '../session/session.ts';
import type { Sessions, SessionToResume } from '../session/sessions.ts';
import type { KeyValueStore, Operation, OperationOptions, ReadOperation, Txn } from '../store.ts';
import type { ElectionFollowers } from './election-followers.ts';
import { candidateKey, transferKey } from './election-keys.ts';
import { type Candidate, standValue } from './election-state.ts';

/** Which election to stand for: anew, or as a stream that broke did. */
export interface CampaignQuery {
  readonly name: string;
  readonly start:
    | { readonly kind: 'new'; readonly value: string; readonly ttlSeconds: bigint; readonly graceMs: number }
    | { readonly kind: 'resume'; readonly session: SessionToResume };
}

/** How it stands. */
export interface CampaignMessage {
  readonly state: 'candidate' | 'leader' | 'lost';
  readonly revision: bigint;
  /** How many candidates stand before it. */
  readonly position: number;
  /** 0n until it leads. */
  readonly token: bigint;
  readonly session: Pick<Session, 'leaseId' | 'openRevision'>;
  /** Until when the lease may be relied on, by the clock. */
  readonly deadlineMs: number;
}

/** What a campaign needs. */
export interface CampaignDeps {
  readonly store: KeyValueStore;
  readonly followers: ElectionFollowers;
  readonly sessions: Sessions;
  readonly clock: Clock;
}

/**
 * Campaigns until its caller stops: then candidacy or leadership is given up as its session is.
 *
 * It ends after `lost`. It rejects with SESSION_NOT_FOUND, SESSION_TAKEN_OVER, and as the store does.
 */
export async function* campaign(
  deps: CampaignDeps,
  { name, start }: CampaignQuery,
  options: OperationOptions,
): AsyncGenerator<CampaignMessage> {
  const { sessions, followers } = deps;
  const bell = new Bell();
  const ended = new AbortController();
  const session = await enterSession(sessions, start, () => bell.ring(), options);
  const { leaseId } = session;
  let token = 0n;
  let sent: CampaignMessage | undefined;
  try {
    const signal = AbortSignal.any([options.signal, session.signal, ended.signal]);
    const stoodAt = await unlessOver(session, () => place(deps, name, start, leaseId, { signal }));
    using follower = followers.follow(name, leaseId, () => bell.ring());
    for (;;) {
      await bell.heard(options);
      if (session.over?.reason === 'SESSION_TAKEN_OVER') throw session.over;
      const { view, failure } = follower;
      if (failure !== undefined && session.over === undefined) throw failure;
      const { revision } = view;
      const standing = view.standingOf(leaseId);
      const isKnown = standing !== undefined && (standing.kind !== 'none' || revision >= (stoodAt ?? 0n));
      if (!isKnown && session.over === undefined) continue;
      const isOver = session.over !== undefined || standing === undefined || standing.kind === 'none';
      if (standing?.kind === 'leader') token = standing.token;
      const next: CampaignMessage = {
        state: isOver ? 'lost' : standing.kind,
        revision,
        position: standing?.kind === 'candidate' ? standing.position : 0,
        token,
        session,
        deadlineMs: session.deadlineMs,
      };
      if (isNews(next, sent)) {
        const at =
          next.state === 'leader'
            ? await unlessOver(session, () => readTerm(deps, name, token, { signal }))
            : revision;
        // It is over, and there is news to come that says so.
        if (at === undefined) continue;
        // First, for who leaves upon a message has been told it.
        sent = next;
        yield { ...next, revision: at };
      }
      if (isOver) return;
      if (standing.kind === 'candidate' && standing.turn !== undefined) {
        const { candidate, turn } = standing;
        await unlessOver(session, () => lead(deps, name, candidate, turn, { signal }));
      }
    }
  } finally {
    ended.abort(new Error('the stream ended'));
    await sessions.leave(session, { isKnown: start.kind === 'resume' || sent !== undefined });
  }
}

function isNews(next: CampaignMessage, sent: CampaignMessage | undefined): boolean {
  return (
    sent === undefined ||
    next.state !== sent.state ||
    next.position !== sent.position ||
    next.deadlineMs !== sent.deadlineMs
  );
}

/** Runs what needs the session; undefined: the session ended first. It tells by itself. */
async function unlessOver<T>(session: Session, run: () => Promise<T>): Promise<T | undefined> {
  try {
    return await run();
  } catch (error) {
    if (session.over === undefined) throw error;
    return undefined;
  }
}

/** Returns a revision at which it stood. Throws SESSION_NOT_FOUND where it was to go on, and does not stand any more. */
async function place(
  { store, clock }: CampaignDeps,
  name: string,
  start: CampaignQuery['start'],
  leaseId: bigint,
  options: OperationOptions,
): Promise<bigint> {
  const key = candidateKey(name, leaseId);
  const reads = [key, leaderKey(name)].map(
    (each): ReadOperation => ({ kind: 'read', range: singleKey(each) }),
  );
  const txn: Txn =
    start.kind === 'resume'
      ? { kind: 'txn', compares: [], success: reads, failure: [] }
      : {
          kind: 'txn',
          compares: [isAbsent(key)],
          success: [{ kind: 'put', key, value: standValue(start.value, clock.wallMs()), leaseId }],
          failure: reads,
        };
  const { results, revision } = await persistently(clock, () => store.txn(txn, options), options);
  const found = results.flatMap((result) => (result.kind === 'read' ? result.kvs : []));
  const own = found.find((kv) => kv.leaseId === leaseId);
  if (own === undefined && start.kind === 'resume') throw sessionNotFound(name, leaseId);
  return own?.createRevision ?? revision;
}

/** Takes the lead, unless something changed meanwhile: then there is more news to come. */
async function lead(
  { store, clock }: CampaignDeps,
  name: string,
  { leaseId, value, createRevision }: Candidate,
  turn: bigint,
  options: OperationOptions,
): Promise<void> {
  const [leader, own, next] = [leaderKey(name), candidateKey(name, leaseId), transferKey(name)];
  const compares = [isAbsent(leader), createdAt(own, createRevision), writtenAt(next, turn)];
  const success: Operation[] = [
    { kind: 'put', key: leader, value: standValue(value, clock.wallMs()), leaseId },
    ...[own, next].map((key): Operation => ({ kind: 'delete', range: singleKey(key) })),
  ];
  await persistently(
    clock,
    () => store.txn({ kind: 'txn', compares, success, failure: [] }, options),
    options,
  );
}

/** Returns a revision at which the term lasts, and has until now; undefined: it is over. */
async function readTerm(
  { store, clock }: CampaignDeps,
  name: string,
  token: bigint,
  options: OperationOptions,
): Promise<bigint | undefined> {
  const read = { kind: 'read', range: singleKey(leaderKey(name)), view: 'keys' } as const;
  const { kvs, revision } = await persistently(clock, () => store.read(read, options), options);
  return kvs[0]?.createRevision === token ? revision : undefined;
}

function sessionNotFound(name: string, leaseId: bigint): DomainError {
  return new DomainError(
    'SESSION_NOT_FOUND',
    `What the resume token held in election "${name}" is over; begin anew, without the token`,
    { lease_id: String(leaseId) },
  );
}
