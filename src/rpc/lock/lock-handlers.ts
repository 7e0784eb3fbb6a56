// LockService of concord.lock.v1: each handler is a parse, a call to the domain, and a mapping.

import type { Duration } from '@bufbuild/protobuf/wkt';
import type { ServiceImpl } from '@connectrpc/connect';
import {
  type AcquireRequest,
  type HoldRequest,
  HoldResponse_State,
  type LockService as LockServiceDescriptor,
  type TryAcquireRequest,
  WatchResponse_Kind,
} from '../../../gen/concord/lock/v1/lock_service_pb.ts';
import type { Clock } from '../../domain/clock.ts';
import type { HoldQuery } from '../../domain/lock/hold-lock.ts';
import type { AcquiredLock, LockCursor, LockService } from '../../domain/lock/lock-service.ts';
import { pageTokenInvalid } from '../../domain/reading/list.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { freshnessOf } from '../fields/freshness.ts';
import { seal, unseal } from '../fields/sealed-text.ts';
import { readSessionToken, writeSessionToken } from '../fields/session-token.ts';
import { checkpointIntervalOf, millisecondsOf, timestampOf, wholeSecondsOf } from '../fields/times.ts';
import { claimOf, holderMessage, lockMessage, modeOf } from './lock-messages.ts';

/** What the handlers need. */
export interface LockHandlersDeps {
  readonly locks: LockService;
  readonly clock: Clock;
  readonly log: Logger;
}

const DEFAULT_TTL_SECONDS = 15n;
const DEFAULT_PAGE_SIZE = 100;

const STATES = {
  queued: HoldResponse_State.QUEUED,
  acquired: HoldResponse_State.ACQUIRED,
  lost: HoldResponse_State.LOST,
} as const;

/** Creates the handlers on the domain's service. */
export function createLockHandlers({
  locks,
  clock,
  log,
}: LockHandlersDeps): ServiceImpl<typeof LockServiceDescriptor> {
  const acquiredFields = ({ revision, token, leaseId, expireMs }: AcquiredLock) => ({
    revision,
    fencingToken: token,
    leaseId,
    expireTime: timestampOf(clock, expireMs),
  });

  return {
    acquire: async (request, options) =>
      acquiredFields(await locks.acquire(acquireRequest(request), options)),

    tryAcquire: async (request, options) =>
      acquiredFields(await locks.tryAcquire(acquireRequest(request), options)),

    async *hold(request, { signal }) {
      const purpose = holdPurpose(request);
      for await (const message of locks.hold(holdQuery(request, purpose), { signal })) {
        const { state, revision, position, token, session, deadlineMs } = message;
        yield {
          revision,
          state: STATES[state],
          position,
          fencingToken: token,
          leaseId: session.leaseId,
          ...(state !== 'lost' && {
            expireTime: timestampOf(clock, deadlineMs),
            resumeToken: writeSessionToken(session, purpose),
          }),
        };
      }
    },

    release: ({ name, fencingToken }, options) => locks.release(name, fencingToken, options),

    async get(request, options) {
      const { revision, ...lock } = await locks.get(request.name, freshnessOf(request), options);
      return { revision, lock: lockMessage(lock) };
    },

    async list(request, options) {
      const { prefix } = request;
      const page = await locks.list(
        {
          ...freshnessOf(request),
          prefix,
          pageSize: request.pageSize || DEFAULT_PAGE_SIZE,
          cursor: readCursor(request.pageToken, prefix),
        },
        options,
      );
      return {
        revision: page.revision,
        locks: page.locks.map(lockMessage),
        nextPageToken: page.next === undefined ? '' : writeCursor(page.next, prefix),
      };
    },

    async *watch({ name, checkpointInterval }, { signal }) {
      const query = { name, checkpointIntervalMs: checkpointIntervalOf(checkpointInterval) };
      for await (const message of locks.watch(query, { signal })) {
        const { kind, revision } = message;
        yield kind === 'snapshot'
          ? { kind: WatchResponse_Kind.SNAPSHOT, revision, lock: lockMessage(message.lock) }
          : { kind: WatchResponse_Kind.CHECKPOINT, revision };
      }
    },

    async verify(request, options) {
      const { name, fencingToken } = request;
      const answer = await locks.verify(name, fencingToken, freshnessOf(request), options);
      return { revision: answer.revision, held: answer.isHeld };
    },

    async break({ name, fencingToken, reason }, options) {
      const token = fencingToken === 0n ? undefined : fencingToken;
      const { revision, broken } = await locks.break(name, token, options);
      log.warn(
        { lock: name, reason, tokens: broken.map((holder) => String(holder.token)) },
        'a lock was taken from those that held it',
      );
      return { revision, broken: broken.map(holderMessage) };
    },
  };
}

function acquireRequest(request: AcquireRequest | TryAcquireRequest) {
  return { name: request.name, claim: claimOf(request), ttlSeconds: ttlSecondsOf(request.ttl) };
}

function ttlSecondsOf(ttl: Duration | undefined): bigint {
  return ttl === undefined ? DEFAULT_TTL_SECONDS : wholeSecondsOf(ttl);
}

/** What a resume token is tied to. */
function holdPurpose({ name, mode, permits }: HoldRequest): readonly string[] {
  return ['concord.lock.v1.LockService/Hold', name, modeOf(mode), String(permits)];
}

function holdQuery(request: HoldRequest, purpose: readonly string[]): HoldQuery {
  const { name, resumeToken, grace } = request;
  if (resumeToken !== '') {
    const session = readSessionToken(resumeToken, purpose);
    return { name, start: { kind: 'resume', mode: modeOf(request.mode), session } };
  }
  const graceMs = grace === undefined ? 0 : millisecondsOf(grace);
  return {
    name,
    start: { kind: 'new', claim: claimOf(request), ttlSeconds: ttlSecondsOf(request.ttl), graceMs },
  };
}

function writeCursor({ revision, after }: LockCursor, prefix: string): string {
  return seal(`${revision} ${Buffer.from(after).toString('base64url')}`, pageBinding(prefix));
}

/** Throws PAGE_TOKEN_INVALID. */
function readCursor(pageToken: string, prefix: string): LockCursor | undefined {
  if (pageToken === '') return undefined;
  const [, revision, after = ''] =
    /^(\d{1,18}) ([A-Za-z0-9_-]*)$/.exec(unseal(pageToken, pageBinding(prefix)) ?? '') ?? [];
  const name = Buffer.from(after, 'base64url').toString('utf8');
  if (revision === undefined || !name.startsWith(prefix)) throw pageTokenInvalid();
  return { revision: BigInt(revision), after: name };
}

function pageBinding(prefix: string): Uint8Array {
  return Buffer.from(`concord.lock.v1.ListRequest ${prefix}`);
}
