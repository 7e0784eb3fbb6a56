// This gateway among its replicas: a key on a lease of its own says that it is alive.

import type { Clock } from '../clock.ts';
import type { KeyValueStore, LeaseStore } from '../store.ts';
import { delay } from '../watch/delay.ts';
import type { KeptLease, LeaseEngine } from './lease-engine.ts';
import { replicaKey } from './lease-keys.ts';

/** What a replica needs. */
export interface ReplicaDeps {
  readonly store: KeyValueStore;
  readonly leases: LeaseStore;
  readonly engine: LeaseEngine;
  readonly clock: Clock;
}

/** How long others take a replica that died for alive, at most, in seconds; in it they cannot take over its work. */
const TTL_SECONDS = 3n;
const RETRY_MS = 1_000;

/** A replica that has others know that it is alive. Disposing has them know at once that it is not. */
export interface Replica extends AsyncDisposable {
  /** Its key is gone, whatever took it. */
  forgotten(): void;
}

/**
 * Says that a replica is alive, until it is disposed. While the store does not answer it is tried again, so that it needs nobody to
 * wait for it.
 *
 * @param replicaId unique to this process; letters, digits and `-`.
 */
export function startReplica(deps: ReplicaDeps, replicaId: string): Replica {
  const { store, leases, engine, clock } = deps;
  const abort = new AbortController();
  let held: KeptLease | undefined;
  let isAnnouncing = false;
  /** Whether its key is to be written, once more where that is asked for meanwhile. */
  let isWanted = false;

  async function announce(): Promise<void> {
    isWanted = true;
    if (isAnnouncing) return;
    isAnnouncing = true;
    while (isWanted && !abort.signal.aborted) {
      isWanted = false;
      if (held !== undefined) engine.release(held);
      try {
        const sentMs = clock.now();
        const { leaseId, ttlSeconds } = await leases.grant({ ttlSeconds: TTL_SECONDS }, abort);
        const put = { kind: 'put', key: replicaKey(replicaId), value: new Uint8Array(), leaseId } as const;
        await store.txn({ kind: 'txn', compares: [], success: [put], failure: [] }, abort);
        held = engine.keep({ leaseId, ttlSeconds, sentMs }, { lost: () => void announce() });
      } catch {
        // The store does not answer, or the lease has ended before its key was written.
        isWanted = true;
        await delay(clock, RETRY_MS, abort);
      }
    }
    isAnnouncing = false;
  }
  void announce();

  return {
    forgotten: () => void announce(),
    async [Symbol.asyncDispose]() {
      abort.abort(new Error('the replica is leaving'));
      if (held === undefined) return;
      engine.release(held);
      // A lease that cannot be revoked now ends by itself, in 3 s.
      await leases.revoke(held.leaseId, new AbortController()).catch(() => {});
    },
  };
}
