// LeaseService of concord.lease.v1: each handler is a parse, a call to the domain, and a mapping.

import type { ServiceImpl } from '@connectrpc/connect';
import type {
  HoldRequest,
  LeaseService as LeaseServiceDescriptor,
} from '../../../gen/concord/lease/v1/lease_service_pb.ts';
import type { Clock } from '../../domain/clock.ts';
import type { LeaseService, LiveLease } from '../../domain/lease/lease-service.ts';
import { pageTokenInvalid } from '../../domain/reading/list.ts';
import { type HoldLeaseQuery, holdLease } from '../../domain/session/hold-lease.ts';
import type { Sessions } from '../../domain/session/sessions.ts';
import { freshnessOf } from '../fields/freshness.ts';
import { seal, unseal } from '../fields/sealed-text.ts';
import { readSessionToken, writeSessionToken } from '../fields/session-token.ts';
import { toText } from '../fields/text-or-bytes.ts';
import { durationOf, millisecondsOf, timestampOf, wholeSecondsOf } from '../fields/times.ts';

/** What the handlers need. */
export interface LeaseHandlersDeps {
  readonly leases: LeaseService;
  readonly sessions: Sessions;
  readonly clock: Clock;
}

const DEFAULT_PAGE_SIZE = 100;
const MAX_KEYS = 1_000;
const PURPOSE = ['concord.lease.v1.LeaseService/Hold'];
const PAGE_BINDING = Buffer.from('concord.lease.v1.ListRequest');

/** Creates the handlers on the domain's service. */
export function createLeaseHandlers({
  leases,
  sessions,
  clock,
}: LeaseHandlersDeps): ServiceImpl<typeof LeaseServiceDescriptor> {
  const liveFields = ({ revision, ttlSeconds, expireMs }: LiveLease) => ({
    revision,
    ttl: durationOf(ttlSeconds),
    expireTime: timestampOf(clock, expireMs),
  });

  return {
    async grant({ ttl, leaseId, autoRenew }, options) {
      const request = {
        ttlSeconds: ttl === undefined ? 0n : wholeSecondsOf(ttl),
        leaseId: leaseId === 0n ? undefined : leaseId,
        isAutoRenewed: autoRenew,
      };
      const lease = await leases.grant(request, options);
      return { ...liveFields(lease), leaseId: lease.leaseId };
    },

    renew: async ({ leaseId }, options) => liveFields(await leases.renew(leaseId, options)),

    async *hold(request, { signal }) {
      for await (const session of holdLease(sessions, holdQuery(request), { signal })) {
        const { leaseId, ttlSeconds, revision, deadlineMs } = session;
        yield {
          revision,
          leaseId,
          ttl: durationOf(ttlSeconds),
          expireTime: timestampOf(clock, deadlineMs),
          resumeToken: writeSessionToken(session, PURPOSE),
        };
      }
    },

    startAutoRenew: ({ leaseId }, options) => leases.startAutoRenew(leaseId, options),
    stopAutoRenew: ({ leaseId }, options) => leases.stopAutoRenew(leaseId, options),

    async get(request, options) {
      const lease = await leases.get(request.leaseId, freshnessOf(request), options);
      const keys = lease.keys.slice(0, MAX_KEYS).map((key) => toText(key, request.encoding) ?? key);
      return {
        revision: lease.revision,
        leaseId: lease.leaseId,
        grantedTtl: durationOf(lease.grantedTtlSeconds),
        remainingTtl: durationOf(lease.remainingTtlSeconds),
        keys: keys.filter((key) => typeof key === 'string'),
        keysBytes: keys.filter((key) => typeof key !== 'string'),
        keyCount: BigInt(lease.keys.length),
        autoRenewed: lease.isAutoRenewed,
        held: lease.isHeld,
      };
    },

    async list(request, options) {
      const pageSize = request.pageSize || DEFAULT_PAGE_SIZE;
      const query = { ...freshnessOf(request), after: readPosition(request.pageToken), pageSize };
      const page = await leases.list(query, options);
      return {
        revision: page.revision,
        leases: page.leases.map((lease) => ({
          leaseId: lease.leaseId,
          grantedTtl: durationOf(lease.grantedTtlSeconds),
          remainingTtl: durationOf(lease.remainingTtlSeconds),
          autoRenewed: lease.isAutoRenewed,
          held: lease.isHeld,
        })),
        nextPageToken: page.next === undefined ? '' : seal(String(page.next), PAGE_BINDING),
        totalSize: page.totalSize,
      };
    },

    revoke: ({ leaseId }, options) => leases.revoke(leaseId, options),
  };
}

function holdQuery({ leaseId, ttl, grace, resumeToken }: HoldRequest): HoldLeaseQuery {
  if (resumeToken !== '') return { kind: 'resume', session: readSessionToken(resumeToken, PURPOSE) };
  const graceMs = grace === undefined ? 0 : millisecondsOf(grace);
  const lease =
    ttl === undefined
      ? ({ kind: 'existing', leaseId } as const)
      : ({ kind: 'new', ttlSeconds: wholeSecondsOf(ttl) } as const);
  return { kind: 'new', request: { lease, graceMs } };
}

/** Throws PAGE_TOKEN_INVALID. */
function readPosition(pageToken: string): bigint | undefined {
  if (pageToken === '') return undefined;
  const [leaseId] = /^-?\d{1,19}$/.exec(unseal(pageToken, PAGE_BINDING) ?? '') ?? [];
  if (leaseId === undefined) throw pageTokenInvalid();
  return BigInt(leaseId);
}
