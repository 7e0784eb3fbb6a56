// The domain's LeaseStore on etcd's Lease service.

import { randomInt } from 'node:crypto';
import type { ILeaseGrantResponse, ILeaseTimeToLiveResponse } from 'etcd3';
import { DomainError } from '../domain/errors.ts';
import type { LeaseStore } from '../domain/store.ts';
import type { Cluster } from './cluster.ts';

const GRANT_ATTEMPTS = 3;
const HALF_BITS = 2 ** 26;

/** Creates the port on a cluster. */
export function createLeaseStore(cluster: Cluster): LeaseStore {
  return {
    async grant(ttlSeconds, options) {
      for (let tries = 1; ; tries++) {
        const request = { TTL: String(ttlSeconds), ID: String(randomLeaseId()) };
        try {
          const response = await cluster.call<ILeaseGrantResponse>(
            { service: 'Lease', method: 'leaseGrant', request, attempt: { isWrite: true } },
            options,
          );
          return { leaseId: BigInt(response.ID), ttlSeconds: BigInt(response.TTL) };
        } catch (error) {
          if (tries >= GRANT_ATTEMPTS || !isIdTaken(error)) throw error;
        }
      }
    },

    async isAlive(leaseId, options) {
      const response = await cluster.call<ILeaseTimeToLiveResponse>(
        {
          service: 'Lease',
          method: 'leaseTimeToLive',
          request: { ID: String(leaseId) },
          attempt: { isWrite: false, leaseId },
        },
        options,
      );
      return BigInt(response.TTL) >= 0n;
    },

    async revoke(leaseId, options) {
      await cluster.call<unknown>(
        {
          service: 'Lease',
          method: 'leaseRevoke',
          request: { ID: String(leaseId) },
          attempt: { isWrite: true, leaseId },
        },
        options,
      );
    },
  };
}

/** Random, so that replicas need not agree, from 1 to 2^52: a JavaScript number holds it. */
function randomLeaseId(): number {
  return randomInt(HALF_BITS) * HALF_BITS + randomInt(HALF_BITS) + 1;
}

function isIdTaken(error: unknown): boolean {
  return (
    error instanceof DomainError &&
    error.reason === 'STORE_REJECTED' &&
    /lease already exists/.test(error.message)
  );
}
