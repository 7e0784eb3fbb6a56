// Leases: what LeaseService of the contract does, but for Hold, which is a session.
// What is renewed without a caller stands in records of the store; src/domain/lease/auto-renewal.ts renews it.

import type { Clock } from '../clock.ts';
import { DomainError } from '../errors.ts';
import { type Freshness, freshRead } from '../reading/fresh-read.ts';
import type {
  AtRevision,
  KeyValueStore,
  LeaseStatus,
  LeaseStore,
  OperationOptions,
  ReadOperation,
  ReadResult,
} from '../store.ts';
import type { AutoRenewal } from './auto-renewal.ts';
import { endLease } from './end-lease.ts';
import { grantLease } from './grant-lease.ts';
import { readLeaseKey, renewedKey, sessionKey } from './lease-keys.ts';

/** A lease, alive until a time of the clock. */
export interface LiveLease {
  readonly revision: bigint;
  readonly leaseId: bigint;
  readonly ttlSeconds: bigint;
  readonly expireMs: number;
}

/** What is known of a lease. */
export interface LeaseDescription extends LeaseStatus {
  readonly leaseId: bigint;
  readonly isAutoRenewed: boolean;
  /** Whether a session keeps it. */
  readonly isHeld: boolean;
}

/** One page of leases. */
export interface LeasePage {
  readonly revision: bigint;
  readonly leases: readonly LeaseDescription[];
  /** The last lease of the page; undefined: there are no further ones. */
  readonly next: bigint | undefined;
  readonly totalSize: bigint;
}

/** Grants, renews, describes and ends leases. Every method also rejects as {@link LeaseStore} does. */
export interface LeaseService {
  /** Rejects with LEASE_ALREADY_EXISTS where `leaseId` is taken. */
  grant(
    request: {
      readonly ttlSeconds: bigint;
      readonly leaseId: bigint | undefined;
      readonly isAutoRenewed: boolean;
    },
    options: OperationOptions,
  ): Promise<LiveLease>;
  renew(leaseId: bigint, options: OperationOptions): Promise<LiveLease>;
  startAutoRenew(leaseId: bigint, options: OperationOptions): Promise<{ readonly revision: bigint }>;
  stopAutoRenew(leaseId: bigint, options: OperationOptions): Promise<{ readonly revision: bigint }>;
  get(
    leaseId: bigint,
    freshness: Freshness,
    options: OperationOptions,
  ): Promise<AtRevision<LeaseDescription>>;
  /** Lists the leases behind `after`, in the order of their ids. */
  list(
    query: Freshness & { readonly after: bigint | undefined; readonly pageSize: number },
    options: OperationOptions,
  ): Promise<LeasePage>;
  revoke(leaseId: bigint, options: OperationOptions): Promise<{ readonly revision: bigint }>;
}

/** What the service needs. */
export interface LeaseServiceDeps {
  readonly store: KeyValueStore;
  readonly leases: LeaseStore;
  readonly autoRenewal: Pick<AutoRenewal, 'start' | 'stop'>;
  readonly clock: Clock;
}

/** Creates the service. */
export function createLeaseService({ store, leases, autoRenewal, clock }: LeaseServiceDeps): LeaseService {
  async function live(
    call: () => Promise<AtRevision<{ readonly leaseId: bigint; readonly ttlSeconds: bigint }>>,
  ): Promise<LiveLease> {
    const sentMs = clock.now();
    const lease = await call();
    return { ...lease, expireMs: sentMs + Number(lease.ttlSeconds) * 1_000 };
  }

  async function readRecords(
    leaseIds: readonly bigint[],
    freshness: Freshness,
    options: OperationOptions,
  ): Promise<AtRevision<{ readonly renewed: ReadonlySet<bigint>; readonly held: ReadonlySet<bigint> }>> {
    const [first, last] = [leaseIds[0] ?? 0n, leaseIds.at(-1) ?? 0n];
    const { results, revision } = await freshRead(async (serializable) => {
      const success = [renewedKey, sessionKey].map((key): ReadOperation => {
        const range = { kind: 'range', start: key(first), end: key(last + 1n) } as const;
        return { kind: 'read', range, view: 'keys', serializable };
      });
      return store.txn({ kind: 'txn', compares: [], success, failure: [] }, options);
    }, freshness);
    const [renewed, held] = results.map((result) =>
      result.kind === 'read' ? leasesOf(result) : new Set<bigint>(),
    );
    return { revision, renewed: renewed ?? new Set(), held: held ?? new Set() };
  }

  return {
    async grant({ ttlSeconds, leaseId, isAutoRenewed }, options) {
      const lease = await live(() => grantLease({ leases, clock }, { ttlSeconds, leaseId }, options));
      if (!isAutoRenewed) return lease;
      try {
        const { revision } = await autoRenewal.start(lease, options);
        return { ...lease, revision };
      } catch (error) {
        // Nobody learns of the lease.
        void endLease({ leases, clock }, lease);
        throw error;
      }
    },

    renew: (leaseId, options) => live(() => leases.keepAlive(leaseId, options)),
    startAutoRenew: async (leaseId, options) =>
      autoRenewal.start(await leases.keepAlive(leaseId, options), options),
    stopAutoRenew: (leaseId, options) => autoRenewal.stop(leaseId, options),

    async get(leaseId, freshness, options) {
      const status = await leases.timeToLive(leaseId, { withKeys: true }, options);
      const { renewed, held, revision } = await readRecords([leaseId], freshness, options);
      return {
        ...status,
        leaseId,
        isAutoRenewed: renewed.has(leaseId),
        isHeld: held.has(leaseId),
        revision,
      };
    },

    async list({ after, pageSize, ...freshness }, options) {
      const { leaseIds } = await leases.list(options);
      const rest = [...leaseIds]
        .sort((a, b) => (a < b ? -1 : 1))
        .filter((id) => after === undefined || id > after);
      const page = rest.slice(0, pageSize);
      const { renewed, held, revision } = await readRecords(page, freshness, options);
      const statuses = await Promise.all(page.map((id) => statusOf(leases, id, options)));
      const found = page.flatMap((leaseId, i): LeaseDescription[] => {
        const status = statuses[i];
        return status === undefined
          ? []
          : [{ ...status, leaseId, isAutoRenewed: renewed.has(leaseId), isHeld: held.has(leaseId) }];
      });
      const next = rest.length > page.length ? page.at(-1) : undefined;
      return { revision, leases: found, next, totalSize: BigInt(leaseIds.length) };
    },

    revoke: (leaseId, options) => leases.revoke(leaseId, options),
  };
}

/** Undefined: it has ended since it was listed. */
async function statusOf(
  leases: LeaseStore,
  leaseId: bigint,
  options: OperationOptions,
): Promise<LeaseStatus | undefined> {
  try {
    return await leases.timeToLive(leaseId, { withKeys: false }, options);
  } catch (error) {
    if (error instanceof DomainError && error.reason === 'LEASE_NOT_FOUND') return undefined;
    throw error;
  }
}

function leasesOf({ kvs }: ReadResult): ReadonlySet<bigint> {
  return new Set(
    kvs.flatMap(({ key }) => {
      const read = readLeaseKey(key);
      return read === undefined || read.kind === 'replica' ? [] : [read.leaseId];
    }),
  );
}
