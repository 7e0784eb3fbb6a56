// Leases that the replicas renew until they are told to stop, whichever of the replicas are alive.
//
// A key on each such lease says that it is renewed, and so goes with it. Which replica renews it follows from who is alive: every
// replica computes the same answer from the same keys, and nothing has to be handed over. While two see different replicas alive,
// both may renew a lease, or, for as long as a dead replica counts as alive (3 s), none: a time to live of 10 s outlasts that.

import type { Clock } from '../clock.ts';
import type { KeyValueStore, LeaseStore, OperationOptions } from '../store.ts';
import type { MirrorChange } from '../watch/mirror.ts';
import type { KeptLease, LeaseEngine } from './lease-engine.ts';
import { type LeaseKey, renewedKey } from './lease-keys.ts';
import type { RecordListener } from './lease-records.ts';

/** What auto-renewal needs. */
export interface AutoRenewalDeps {
  readonly store: KeyValueStore;
  readonly leases: LeaseStore;
  readonly engine: LeaseEngine;
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
  /** Of this gateway. */
  readonly replicaId: string;
}

/** Leases that a replica takes over are renewed within so long, not all at once. */
const SPREAD_MS = 500;
/** Until its first renewal tells how long a lease lives; it is renewed long before. */
const ASSUMED_TTL_SECONDS = 10n;

/** Renews this replica's part of the leases. */
export class AutoRenewal {
  readonly #deps: AutoRenewalDeps;
  /** Those that are alive; this one always counts itself. */
  readonly #replicas = new Map<string, number>();
  /** All leases that are renewed; with what keeps those that this replica renews. */
  readonly #leases = new Map<bigint, KeptLease | undefined>();
  #isSynced = false;

  constructor(deps: AutoRenewalDeps) {
    this.#deps = deps;
    this.#replicas.set(deps.replicaId, hashText(deps.replicaId));
  }

  /** Has the replicas renew a lease. Rejects with LEASE_NOT_FOUND where it is gone. */
  async start(leaseId: bigint, options: OperationOptions): Promise<{ readonly revision: bigint }> {
    const put = { kind: 'put', key: renewedKey(leaseId), value: new Uint8Array(), leaseId } as const;
    return this.#deps.store.txn({ kind: 'txn', compares: [], success: [put], failure: [] }, options);
  }

  /** Has them renew it no longer. Rejects with LEASE_NOT_FOUND where it is gone. */
  async stop(leaseId: bigint, options: OperationOptions): Promise<{ readonly revision: bigint }> {
    await this.#deps.leases.timeToLive(leaseId, { withKeys: false }, options);
    const range = { kind: 'key', key: renewedKey(leaseId) } as const;
    const deletion = { kind: 'delete', range } as const;
    return this.#deps.store.txn({ kind: 'txn', compares: [], success: [deletion], failure: [] }, options);
  }

  /** How many leases this replica renews. */
  get size(): number {
    let size = 0;
    for (const kept of this.#leases.values()) if (kept !== undefined) size += 1;
    return size;
  }

  /** Takes the records of leases that are renewed. */
  readonly renewed: RecordListener<'renewed'> = {
    changed: ({ leaseId }, { kv }) => {
      if (kv === undefined) {
        this.#release(leaseId);
        this.#leases.delete(leaseId);
        return;
      }
      if (!this.#leases.has(leaseId)) this.#leases.set(leaseId, undefined);
      // Also one that was known and ended here: where the records were listed again, it may be another of the same id.
      if (this.#isSynced) this.#assign(leaseId);
    },
  };

  /** Takes the records of replicas. */
  readonly replica: RecordListener<'replica'> = {
    changed: (key, change) => this.#replicaChanged(key, change),
    synced: () => {
      this.#isSynced = true;
      this.#assignAll();
    },
  };

  #replicaChanged(
    { replicaId }: Extract<LeaseKey, { readonly kind: 'replica' }>,
    { kv }: MirrorChange,
  ): void {
    if (replicaId === this.#deps.replicaId) return;
    if (kv === undefined) this.#replicas.delete(replicaId);
    else this.#replicas.set(replicaId, hashText(replicaId));
    if (this.#isSynced) this.#assignAll();
  }

  #assignAll(): void {
    for (const leaseId of this.#leases.keys()) this.#assign(leaseId);
  }

  #assign(leaseId: bigint): void {
    const isMine = this.#renewerOf(leaseId) === this.#deps.replicaId;
    const isKept = this.#leases.get(leaseId) !== undefined;
    if (isMine && !isKept) this.#keep(leaseId);
    else if (!isMine && isKept) this.#release(leaseId);
  }

  #keep(leaseId: bigint): void {
    const { engine, clock, random } = this.#deps;
    const sentMs = clock.now();
    const lease = {
      leaseId,
      ttlSeconds: ASSUMED_TTL_SECONDS,
      sentMs,
      renewAtMs: sentMs + SPREAD_MS * random(),
    };
    const kept = engine.keep(lease, {
      // Nobody relies on its deadline: a lease that is late may be alive yet.
      lost: (_, cause) => {
        if (this.#leases.get(leaseId) !== kept) return;
        if (cause === 'late') this.#keep(leaseId);
        else this.#leases.set(leaseId, undefined);
      },
    });
    this.#leases.set(leaseId, kept);
  }

  #release(leaseId: bigint): void {
    const kept = this.#leases.get(leaseId);
    if (kept === undefined) return;
    this.#deps.engine.release(kept);
    this.#leases.set(leaseId, undefined);
  }

  /** The replica whose hash together with that of the lease is highest (rendezvous hashing). */
  #renewerOf(leaseId: bigint): string {
    const leaseHash = mix(Number(leaseId & 0xffffffffn) ^ Number(leaseId >> 32n));
    let highest = -1;
    let renewer = this.#deps.replicaId;
    for (const [replicaId, replicaHash] of this.#replicas) {
      const hash = mix(leaseHash ^ replicaHash);
      if (hash < highest || (hash === highest && replicaId < renewer)) continue;
      highest = hash;
      renewer = replicaId;
    }
    return renewer;
  }
}

function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (const char of text) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  return mix(hash);
}

/** Spreads 32 bits over all of them (the finalizer of MurmurHash3). */
function mix(bits: number): number {
  let hash = bits;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
