// Leases that are to end now, also when the store does not answer at once.

import type { Clock } from '../clock.ts';
import { DomainError } from '../errors.ts';
import type { LeaseStore } from '../store.ts';
import { delay } from '../watch/delay.ts';

const RETRY_MS = 500;

/**
 * Revokes a lease; tried again, after the first failure, for as long as the lease may live without being renewed. Never rejects.
 *
 * It resolves when the lease is gone, or when it must have ended by itself. There is nobody to cancel it: its caller has left.
 */
export async function endLease(
  { leases, clock }: { readonly leases: Pick<LeaseStore, 'revoke'>; readonly clock: Clock },
  lease: { readonly leaseId: bigint; readonly ttlSeconds: bigint },
): Promise<void> {
  const { signal } = new AbortController();
  const untilMs = clock.now() + Number(lease.ttlSeconds) * 1_000;
  while (clock.now() < untilMs) {
    try {
      await leases.revoke(lease.leaseId, { signal });
      return;
    } catch (error) {
      if (error instanceof DomainError && error.reason === 'LEASE_NOT_FOUND') return;
      await delay(clock, RETRY_MS, { signal });
    }
  }
}
