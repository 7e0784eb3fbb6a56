// The domain's LeaseStore on etcd's Lease service.

import { randomInt } from 'node:crypto';
import type {
  ILeaseGrantResponse,
  ILeaseLeasesResponse,
  ILeaseRevokeResponse,
  ILeaseTimeToLiveResponse,
} from 'etcd3';
import { DomainError } from '../../domain/errors.ts';
import type { AtRevision, GrantedLease, LeaseStore, OperationOptions } from '../../domain/store.ts';
import type { Cluster } from '../cluster.ts';
import { leaseNotFound } from '../errors.ts';
import type { KeepAliveTimes } from './keep-alive-times.ts';
import { KeepAlives } from './keep-alives.ts';

const GRANT_ATTEMPTS = 3;
const HALF_BITS = 2 ** 26;

/** Creates the port on a cluster. Close it to end the stream of renewals. */
export function createLeaseStore(
  cluster: Cluster,
  times?: Partial<KeepAliveTimes>,
): LeaseStore & { close(): void } {
  const keepAlives = new KeepAlives(cluster, times);

  async function grant(
    leaseId: bigint,
    ttlSeconds: bigint,
    options: OperationOptions,
  ): Promise<AtRevision<GrantedLease>> {
    const request = { TTL: String(ttlSeconds), ID: String(leaseId) };
    const response = await cluster.call<ILeaseGrantResponse>(
      { service: 'Lease', method: 'leaseGrant', request, attempt: { isWrite: true, leaseId } },
      options,
    );
    return {
      leaseId: BigInt(response.ID),
      ttlSeconds: BigInt(response.TTL),
      revision: BigInt(response.header.revision),
    };
  }

  async function timeToLive(
    leaseId: bigint,
    withKeys: boolean,
    options: OperationOptions,
  ): Promise<ILeaseTimeToLiveResponse | undefined> {
    const request = { ID: String(leaseId), keys: withKeys };
    const response = await cluster.call<ILeaseTimeToLiveResponse>(
      { service: 'Lease', method: 'leaseTimeToLive', request, attempt: { isWrite: false, leaseId } },
      options,
    );
    return BigInt(response.TTL) < 0n ? undefined : response;
  }

  return {
    async grant({ ttlSeconds, leaseId }, options) {
      if (leaseId !== undefined) return grant(leaseId, ttlSeconds, options);
      for (let tries = 1; ; tries++) {
        try {
          return await grant(randomLeaseId(), ttlSeconds, options);
        } catch (error) {
          if (tries >= GRANT_ATTEMPTS || !isIdTaken(error)) throw error;
        }
      }
    },

    keepAlive: (leaseId, options) => keepAlives.renew(leaseId, options),

    async timeToLive(leaseId, { withKeys }, options) {
      const response = await timeToLive(leaseId, withKeys, options);
      if (response === undefined) throw leaseNotFound(leaseId);
      return {
        grantedTtlSeconds: BigInt(response.grantedTTL),
        remainingTtlSeconds: BigInt(response.TTL),
        keys: response.keys,
        revision: BigInt(response.header.revision),
      };
    },

    async list(options) {
      const { header, leases } = await cluster.call<ILeaseLeasesResponse>(
        { service: 'Lease', method: 'leaseLeases', request: {}, attempt: { isWrite: false } },
        options,
      );
      return { leaseIds: leases.map(({ ID }) => BigInt(ID)), revision: BigInt(header.revision) };
    },

    async isAlive(leaseId, options) {
      return (await timeToLive(leaseId, false, options)) !== undefined;
    },

    async revoke(leaseId, options) {
      const request = { ID: String(leaseId) };
      const { header } = await cluster.call<ILeaseRevokeResponse>(
        { service: 'Lease', method: 'leaseRevoke', request, attempt: { isWrite: true, leaseId } },
        options,
      );
      return { revision: BigInt(header.revision) };
    },

    close: () => keepAlives.close(),
  };
}

/** Random, so that replicas need not agree, from 1 to 2^52: a JavaScript number holds it. */
function randomLeaseId(): bigint {
  return BigInt(randomInt(HALF_BITS) * HALF_BITS + randomInt(HALF_BITS) + 1);
}

function isIdTaken(error: unknown): boolean {
  return error instanceof DomainError && error.reason === 'LEASE_ALREADY_EXISTS';
}
