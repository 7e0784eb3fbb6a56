// A lease for what is to be forgotten after a while: many small keys share one.

import type { Clock } from '../clock.ts';
import type { LeaseStore, OperationOptions } from '../store.ts';

/** What is written now is kept for at least this long, and no longer than twice that. */
const KEPT_SECONDS = 60;

/** Returns the id of a lease whose keys are forgotten one to two minutes from now. Rejects as {@link LeaseStore.grant} does. */
export type FadingLease = (options: OperationOptions) => Promise<bigint>;

/** Creates it. The lease is granted when it is first needed, and anew each minute in which it is. */
export function createFadingLease(leases: Pick<LeaseStore, 'grant'>, clock: Clock): FadingLease {
  let current: { readonly leaseId: Promise<bigint>; readonly untilMs: number } | undefined;
  // The grant serves all who wait for it: it is not given up with one of them, and the store bounds its time.
  const { signal } = new AbortController();

  return async (options) => {
    options.signal.throwIfAborted();
    if (current === undefined || clock.now() >= current.untilMs) {
      const leaseId = leases
        .grant({ ttlSeconds: BigInt(2 * KEPT_SECONDS) }, { signal })
        .then((lease) => lease.leaseId);
      const granted = { leaseId, untilMs: clock.now() + KEPT_SECONDS * 1_000 };
      current = granted;
      leaseId.catch(() => {
        if (current === granted) current = undefined;
      });
    }
    return current.leaseId;
  };
}
