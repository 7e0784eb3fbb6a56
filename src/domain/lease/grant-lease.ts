// Leases whose caller may leave before they are there.

import type { Clock } from '../clock.ts';
import type { AtRevision, GrantedLease, LeaseStore, OperationOptions } from '../store.ts';
import { endLease } from './end-lease.ts';

/**
 * Grants a lease; one whose caller leaves before it is there is ended as soon as it is, for nobody would learn of it.
 *
 * Rejects as {@link LeaseStore.grant} does.
 */
export async function grantLease(
  deps: { readonly leases: Pick<LeaseStore, 'grant' | 'revoke'>; readonly clock: Clock },
  request: { readonly ttlSeconds: bigint; readonly leaseId?: bigint | undefined },
  { signal }: OperationOptions,
): Promise<AtRevision<GrantedLease>> {
  signal.throwIfAborted();
  // It is not given up with its caller: whether there is a lease would be unknown then. The store bounds its time.
  const granting = deps.leases.grant(request, new AbortController());
  const left = Promise.withResolvers<never>();
  const leave = () => left.reject(signal.reason);
  signal.addEventListener('abort', leave, { once: true });
  try {
    return await Promise.race([granting, left.promise]);
  } catch (error) {
    if (signal.aborted) {
      granting.then(
        (lease) => endLease(deps, lease),
        () => {},
      );
    }
    throw error;
  } finally {
    signal.removeEventListener('abort', leave);
  }
}
