// Standing for election, and leading, for as long as a stream is open.
//
// Each candidate follows the keys of its election, one watch for all of them at a gateway. One who finds that it is its turn takes
// the leader's key, in a transaction that holds only while nobody leads, its own key exists, and nobody else is to lead next.
// What the watch tells may be late: before a candidate is told that it leads, each time, the leader's key is read again.

import type { Clock } from '../clock.ts';
import { createdAt, isAbsent, writtenAt } from '../conditions.ts';
import { DomainError } from '../errors.ts';
import { leaderKey } from '../fence.ts';
import { singleKey } from '../key-range.ts';
import { persistently } from '../persistently.ts';
import { Bell } from '../session/bell.ts';
import type { Session } from '../session/session.ts';
import type { Sessions, SessionToResume } from '../session/sessions.ts';
import type { KeyValueStore, Operation, OperationOptions } from '../store.ts';
import { createView } from '../watch/view.ts';
import type { Watch } from '../watch/watch.ts';
import { candidateKey, electionRange, transferKey } from './election-keys.ts';
import { type Candidate, type ElectionState, ElectionView, standValue } from './election-state.ts';

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
  readonly watch: Watch;
  readonly sessions: Sessions;
  readonly clock: Clock;
}

const CHECKPOINT_MS = 60_000;

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
  const { sessions } = deps;
  const bell = new Bell();
  const ended = new AbortController();
  const session = await openSession(sessions, start, () => bell.ring(), options);
  const { leaseId } = session;
  let token = 0n;
  try {
    const signal = AbortSignal.any([options.signal, session.signal, ended.signal]);
    if (start.kind === 'new')
      await unlessOver(session, () => stand(deps, name, start.value, leaseId, { signal }));
    const follower = follow(deps.watch, name, () => bell.ring(), { signal });
    let sent: CampaignMessage | undefined;
    for (;;) {
      await bell.heard(options);
      if (session.over?.reason === 'SESSION_TAKEN_OVER') throw session.over;
      const { view, failure } = follower;
      if (failure !== undefined && session.over === undefined) throw failure;
      const { state, revision } = view;
      if (state === undefined && session.over === undefined) continue;
      const role = roleOf(state, leaseId);
      const isOver = session.over !== undefined || role.kind === 'none';
      if (isOver && sent === undefined && start.kind === 'resume') throw sessionNotFound(name, leaseId);
      if (role.kind === 'leader') token = role.token;
      const next: CampaignMessage = {
        state: isOver ? 'lost' : role.kind === 'leader' ? 'leader' : 'candidate',
        revision,
        position: role.kind === 'candidate' ? role.position : 0,
        token,
        session,
        deadlineMs: session.deadlineMs,
      };
      if (isNews(next, sent)) {
        if (next.state === 'leader') {
          const readAt = await unlessOver(session, () => readTerm(deps, name, token, { signal }));
          // There is news to come that says why.
          if (readAt === undefined) continue;
          yield { ...next, revision: readAt };
        } else yield next;
        sent = next;
      }
      if (isOver) return;
      if (role.kind === 'candidate' && state !== undefined && isTurnOf(role.candidate, state))
        await unlessOver(session, () => lead(deps, name, role.candidate, state, { signal }));
    }
  } finally {
    ended.abort(new Error('the stream ended'));
    await sessions.leave(session);
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

function openSession(
  sessions: Sessions,
  start: CampaignQuery['start'],
  onChange: () => void,
  options: OperationOptions,
): Promise<Session> {
  if (start.kind === 'resume') return sessions.resume(start.session, onChange, options);
  const { ttlSeconds, graceMs } = start;
  return sessions.open({ lease: { kind: 'new', ttlSeconds }, graceMs }, onChange, options);
}

async function stand(
  { store, clock }: CampaignDeps,
  name: string,
  value: string,
  leaseId: bigint,
  options: OperationOptions,
): Promise<void> {
  const key = candidateKey(name, leaseId);
  const put = { kind: 'put', key, value: standValue(value, clock.wallMs()), leaseId } as const;
  const compares = [isAbsent(key)];
  await persistently(
    clock,
    () => store.txn({ kind: 'txn', compares, success: [put], failure: [] }, options),
    options,
  );
}

/** Follows an election in the background, until the signal; rings when there is news. */
function follow(watch: Watch, name: string, onNews: () => void, options: OperationOptions) {
  const follower: { readonly view: ElectionView; failure: unknown } = {
    view: new ElectionView(name),
    failure: undefined,
  };
  const query = {
    view: createView({ range: electionRange(name) }),
    start: { kind: 'now' },
    includeSnapshot: true,
    isKeysOnly: false,
    isCoalescing: false,
    checkpointIntervalMs: CHECKPOINT_MS,
  } as const;
  async function run(): Promise<void> {
    try {
      for await (const message of watch(query, options)) {
        follower.view.take(message);
        if (message.kind !== 'checkpoint') onNews();
      }
    } catch (error) {
      follower.failure = error;
      onNews();
    }
  }
  void run();
  return follower;
}

type Role =
  | { readonly kind: 'leader'; readonly token: bigint }
  | { readonly kind: 'candidate'; readonly position: number; readonly candidate: Candidate }
  | { readonly kind: 'none' };

function roleOf(state: ElectionState | undefined, leaseId: bigint): Role {
  if (state?.leader?.leaseId === leaseId) return { kind: 'leader', token: state.leader.token };
  const position = state?.candidates.findIndex((candidate) => candidate.leaseId === leaseId) ?? -1;
  const candidate = state?.candidates[position];
  return candidate === undefined ? { kind: 'none' } : { kind: 'candidate', position, candidate };
}

function isTurnOf({ leaseId }: Candidate, { leader, candidates, transfer }: ElectionState): boolean {
  const next = transfer?.leaseId ?? candidates[0]?.leaseId;
  return leader === undefined && next === leaseId;
}

/** Takes the lead, unless something changed meanwhile: then there is more news to come. */
async function lead(
  { store, clock }: CampaignDeps,
  name: string,
  { leaseId, value, createRevision }: Candidate,
  { transfer }: ElectionState,
  options: OperationOptions,
): Promise<void> {
  const [leader, own, next] = [leaderKey(name), candidateKey(name, leaseId), transferKey(name)];
  const compares = [
    isAbsent(leader),
    createdAt(own, createRevision),
    writtenAt(next, transfer?.modRevision ?? 0n),
  ];
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
