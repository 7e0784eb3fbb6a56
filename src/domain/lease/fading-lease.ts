// A lease for what is to be forgotten after a while: many small keys share one.

import type { Clock } from '../clock.ts';
import { DomainError } from '../errors.ts';
import type { LeaseStore, OperationOptions } from '../store.ts';

/** What is written now is kept for at least this long, and no longer than twice that. */
const KEPT_SECONDS = 60;

/**
 * Runs a write with the id of a lease whose keys are forgotten one to two minutes from now; once more, with another, where somebody
 * has ended that lease. Rejects as the write and {@link LeaseStore.grant} do.
 */
export type FadingLease = <T>(
  write: (leaseId: bigint) => Promise<T>,
  options: OperationOptions,
) => Promise<T>;

/** Creates it. The lease is granted when it is first needed, and anew each minute in which it is. */
export function createFadingLease(leases: Pick<LeaseStore, 'grant'>, clock: Clock): FadingLease {
  let current: { readonly leaseId: Promise<bigint>; readonly untilMs: number } | undefined;
  // The grant serves all who wait for it: it is not given up with one of them, and the store bounds its time.
  const { signal } = new AbortController();

  async function leaseId(options: OperationOptions): Promise<bigint> {
    options.signal.throwIfAborted();
    if (current === undefined || clock.now() >= current.untilMs) {
      const granting = leases
        .grant({ ttlSeconds: BigInt(2 * KEPT_SECONDS) }, { signal })
        .then((lease) => lease.leaseId);
      const granted = { leaseId: granting, untilMs: clock.now() + KEPT_SECONDS * 1_000 };
      current = granted;
      granting.catch(() => {
        if (current === granted) current = undefined;
      });
    }
    return current.leaseId;
  }

  return async (write, options) => {
    const used = await leaseId(options);
    try {
      return await write(used);
    } catch (error) {
      if (!(error instanceof DomainError && error.reason === 'LEASE_NOT_FOUND')) throw error;
      if ((await current?.leaseId.catch(() => used)) === used) current = undefined;
      return write(await leaseId(options));
    }
  };
}
