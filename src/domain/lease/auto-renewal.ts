// Leases that the replicas renew until they are told to stop, whichever of the replicas are alive.
//
// A key on each such lease says that it is renewed, and so goes with it. Which replica renews it follows from who is alive: every
// replica computes the same answer from the same keys, and nothing has to be handed over. While two see different replicas alive,
// both may renew a lease, or, for as long as a dead replica counts as alive (3 s), none: a time to live of 10 s outlasts that. A
// shorter one would not: such a lease has a deputy, a second replica that renews it all along.

import type { Clock } from '../clock.ts';
import { isAbsent } from '../conditions.ts';
import { hashText, mix } from '../hash.ts';
import type { KeyValueStore, LeaseStore, OperationOptions } from '../store.ts';
import type { MirrorChange } from '../watch/mirror.ts';
import type { KeptLease, LeaseEngine } from './lease-engine.ts';
import { type LeaseKey, renewedKey } from './lease-keys.ts';
import type { RecordListener } from './lease-records.ts';
import { renewalValue, ttlIn } from './renewal-record.ts';

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
  /** Goes along with what this replica renews. Its methods must neither throw nor wait. @default nobody */
  readonly companion?: RenewalCompanion;
}

/** Is told which leases a replica renews. */
export interface RenewalCompanion {
  /** From now on it renews a lease; `value` is that of the record that says so. */
  assigned(leaseId: bigint, value: Uint8Array): void;
  released(leaseId: bigint): void;
}

/** A replica that takes leases over renews them within this part of their time to live, not all at once. */
const TAKE_OVER_PART = 1 / 6;
const MAX_SPREAD_MS = 20_000;
/** A lease that lives so long outlasts the death of its renewer. */
const LASTING_TTL_SECONDS = 10n;

/** `renewer`: it is this replica's part. `deputy`: it comes next, should the renewer die, and the lease is short. */
type Role = 'renewer' | 'deputy' | 'none';

interface RenewedLease {
  role: Role;
  /** Undefined: others renew it. */
  kept: KeptLease | undefined;
  /** Of its record. */
  readonly value: Uint8Array;
}

/** Renews this replica's part of the leases. */
export class AutoRenewal {
  readonly #deps: AutoRenewalDeps;
  /** Those that are alive; this one always counts itself. */
  readonly #replicas = new Map<string, number>();
  /** All leases that are renewed. */
  readonly #leases = new Map<bigint, RenewedLease>();
  #isSynced = false;

  constructor(deps: AutoRenewalDeps) {
    this.#deps = deps;
    this.#replicas.set(deps.replicaId, hashText(deps.replicaId));
  }

  /** Has the replicas renew a lease, which was granted or renewed just now. Rejects with LEASE_NOT_FOUND where it is gone. */
  async start(
    { leaseId, ttlSeconds }: { readonly leaseId: bigint; readonly ttlSeconds: bigint },
    options: OperationOptions,
  ): Promise<{ readonly revision: bigint }> {
    const key = renewedKey(leaseId);
    const put = { kind: 'put', key, value: renewalValue(ttlSeconds), leaseId } as const;
    // What another has written about it stays.
    return this.#deps.store.txn(
      { kind: 'txn', compares: [isAbsent(key)], success: [put], failure: [] },
      options,
    );
  }

  /** Has them renew it no longer. Rejects with LEASE_NOT_FOUND where it is gone. */
  async stop(leaseId: bigint, options: OperationOptions): Promise<{ readonly revision: bigint }> {
    await this.#deps.leases.timeToLive(leaseId, { withKeys: false }, options);
    const range = { kind: 'key', key: renewedKey(leaseId) } as const;
    const deletion = { kind: 'delete', range } as const;
    return this.#deps.store.txn({ kind: 'txn', compares: [], success: [deletion], failure: [] }, options);
  }

  /** How many leases this replica renews, those not counted that it is the deputy for. */
  get size(): number {
    let size = 0;
    for (const { kept, role } of this.#leases.values())
      if (kept !== undefined && role === 'renewer') size += 1;
    return size;
  }

  /** Takes the records of leases that are renewed. */
  readonly renewed: RecordListener<'renewed'> = {
    changed: ({ leaseId }, { kv, revision, previous }) => {
      if (kv === undefined) {
        this.#release(leaseId);
        this.#leases.delete(leaseId);
        return;
      }
      if (!this.#leases.has(leaseId))
        this.#leases.set(leaseId, { role: 'none', kept: undefined, value: kv.value });
      // What was just written is of a lease that lives its whole time yet. Of one that was known and ended here, where the records
      // were listed again, there may be another of the same id.
      if (this.#isSynced) this.#assign(leaseId, previous === undefined && kv.modRevision === revision);
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

  #assign(leaseId: bigint, isNew = false): void {
    const lease = this.#leases.get(leaseId);
    if (lease === undefined) return;
    const role = this.#roleFor(leaseId, lease.value);
    if (role === lease.role && (role === 'none' || lease.kept !== undefined)) return;
    this.#release(leaseId);
    lease.role = role;
    if (role !== 'none') this.#keep(leaseId, lease, isNew);
    if (role === 'renewer') this.#deps.companion?.assigned(leaseId, lease.value);
  }

  #keep(leaseId: bigint, lease: RenewedLease, isNew: boolean): void {
    const { engine, clock, random } = this.#deps;
    const sentMs = clock.now();
    const ttlSeconds = ttlIn(lease.value);
    const spreadMs = Math.min(MAX_SPREAD_MS, Number(ttlSeconds) * 1_000 * TAKE_OVER_PART);
    const due = isNew ? {} : { renewAtMs: sentMs + spreadMs * random() };
    const kept = engine.keep(
      { leaseId, ttlSeconds, sentMs, ...due },
      {
        // Nobody relies on its deadline: a lease that is late may be alive yet.
        lost: (_, cause) => {
          if (lease.kept !== kept) return;
          if (cause === 'late') this.#keep(leaseId, lease, false);
          else this.#release(leaseId);
        },
      },
    );
    lease.kept = kept;
  }

  #release(leaseId: bigint): void {
    const lease = this.#leases.get(leaseId);
    if (lease?.kept === undefined) return;
    this.#deps.engine.release(lease.kept);
    lease.kept = undefined;
    if (lease.role === 'renewer') this.#deps.companion?.released(leaseId);
  }

  /** The replica whose hash together with that of the lease is highest renews it (rendezvous hashing); the next is its deputy. */
  #roleFor(leaseId: bigint, value: Uint8Array): Role {
    const leaseHash = mix(Number(leaseId & 0xffffffffn) ^ Number(leaseId >> 32n));
    const { replicaId } = this.#deps;
    const own = mix(leaseHash ^ hashText(replicaId));
    let before = 0;
    for (const [otherId, otherHash] of this.#replicas) {
      const hash = mix(leaseHash ^ otherHash);
      if (hash > own || (hash === own && otherId > replicaId)) before += 1;
      if (before > 1) return 'none';
    }
    if (before === 0) return 'renewer';
    return ttlIn(value) < LASTING_TTL_SECONDS ? 'deputy' : 'none';
  }
}
