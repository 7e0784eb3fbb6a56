import { DomainError } from '../../../src/domain/errors.ts';
import type { AtRevision, GrantedLease, LeaseStore, OperationOptions } from '../../../src/domain/store.ts';

/** One renewal that was asked for. */
export interface ScriptedRenewal {
  readonly leaseId: bigint;
  succeed(ttlSeconds: number): void;
  fail(error: DomainError): void;
}

/** Renewals that a test answers, when and how it likes. */
export class ScriptedRenewals implements Pick<LeaseStore, 'keepAlive'> {
  /** All that were ever asked for, oldest first. */
  readonly asked: ScriptedRenewal[] = [];

  keepAlive(leaseId: bigint, { signal }: OperationOptions): Promise<AtRevision<GrantedLease>> {
    const { promise, resolve, reject } = Promise.withResolvers<AtRevision<GrantedLease>>();
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    this.asked.push({
      leaseId,
      succeed: (ttlSeconds) => resolve({ leaseId, ttlSeconds: BigInt(ttlSeconds), revision: 1n }),
      fail: reject,
    });
    return promise;
  }

  /** The one that was asked for last. */
  get last(): ScriptedRenewal {
    const renewal = this.asked.at(-1);
    if (renewal === undefined) throw new Error('nothing was to be renewed');
    return renewal;
  }
}

export function storeAway(): DomainError {
  return new DomainError('STORE_UNAVAILABLE', 'The store is away');
}

export function leaseGone(leaseId: bigint): DomainError {
  return new DomainError('LEASE_NOT_FOUND', 'The lease is gone', { lease_id: String(leaseId) });
}
