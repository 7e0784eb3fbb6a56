// Locks: what LockService of the contract does.
// Who waits for a lock and who holds it stand in src/domain/lock/lock-queue.ts; here they are made calls of.

import type { Clock } from '../clock.ts';
import { isSomeKeyIn } from '../conditions.ts';
import { DomainError } from '../errors.ts';
import { lockHolderKey } from '../fence.ts';
import { prefixEnd, singleKey } from '../key-range.ts';
import { endLease } from '../lease/end-lease.ts';
import type { FadingLease } from '../lease/fading-lease.ts';
import { grantLease } from '../lease/grant-lease.ts';
import type { LeaseEngine } from '../lease/lease-engine.ts';
import { type Freshness, freshRead } from '../reading/fresh-read.ts';
import { type ListCursor, list } from '../reading/list.ts';
import type { Sessions } from '../session/sessions.ts';
import type {
  AtRevision,
  DeleteOperation,
  KeyValue,
  KeyValueStore,
  LeaseStore,
  OperationOptions,
  WatchSource,
} from '../store.ts';
import type { Watch } from '../watch/watch.ts';
import { type HoldMessage, type HoldQuery, holdLock } from './hold-lock.ts';
import { lockRange, locksRange, queueKey, readLockKey, releasedKey } from './lock-keys.ts';
import { enqueue, enqueueIfFree, type Standing, takeTurn } from './lock-queue.ts';
import { type Claim, type Holder, type LockState, lockState, modeIn } from './lock-state.ts';
import { QueuePositions } from './queue-positions.ts';
import { type LockWatchMessage, watchLock } from './watch-lock.ts';

/** What to acquire. */
export interface AcquireRequest {
  readonly name: string;
  readonly claim: Claim;
  readonly ttlSeconds: bigint;
}

/** A lock that is held. */
export interface AcquiredLock {
  readonly revision: bigint;
  readonly token: bigint;
  readonly leaseId: bigint;
  /** When its lease ends unless it is renewed, by the clock. */
  readonly expireMs: number;
}

/** One page of locks. */
export interface LockPage {
  readonly revision: bigint;
  readonly locks: readonly LockState[];
  readonly next: LockCursor | undefined;
}

/** Where a listing of locks goes on. */
export interface LockCursor {
  readonly revision: bigint;
  /** The name of the last lock. */
  readonly after: string;
}

/** Acquires, releases and shows locks. Every method also rejects as {@link KeyValueStore} and {@link LeaseStore} do. */
export interface LockService {
  /** Waits until the lock is held. Rejects with LOCK_MODE_MISMATCH, or LEASE_NOT_FOUND where the lease ended while it waited. */
  acquire(request: AcquireRequest, options: OperationOptions): Promise<AcquiredLock>;
  /** Rejects with LOCK_HELD or LOCK_MODE_MISMATCH. */
  tryAcquire(request: AcquireRequest, options: OperationOptions): Promise<AcquiredLock>;
  /** See {@link holdLock}. */
  hold(query: HoldQuery, options: OperationOptions): AsyncGenerator<HoldMessage>;
  /** Rejects with NOT_LOCK_HOLDER where `token` neither holds the lock nor was released a moment ago. */
  release(name: string, token: bigint, options: OperationOptions): Promise<{ readonly revision: bigint }>;
  get(name: string, freshness: Freshness, options: OperationOptions): Promise<AtRevision<LockState>>;
  list(
    query: Freshness & {
      readonly prefix: string;
      readonly pageSize: number;
      readonly cursor: LockCursor | undefined;
    },
    options: OperationOptions,
  ): Promise<LockPage>;
  watch(
    query: { readonly name: string; readonly checkpointIntervalMs: number },
    options: OperationOptions,
  ): AsyncGenerator<LockWatchMessage>;
  verify(
    name: string,
    token: bigint,
    freshness: Freshness,
    options: OperationOptions,
  ): Promise<AtRevision<{ readonly isHeld: boolean }>>;
  /** Takes the lock from all that hold it, or from the one with `token`, and returns them. */
  break(
    name: string,
    token: bigint | undefined,
    options: OperationOptions,
  ): Promise<{ readonly revision: bigint; readonly broken: readonly Holder[] }>;
}

/** What the service needs. */
export interface LockServiceDeps {
  readonly store: KeyValueStore;
  readonly leases: LeaseStore;
  readonly source: WatchSource;
  readonly watch: Watch;
  readonly engine: LeaseEngine;
  readonly sessions: Sessions;
  readonly fadingLease: FadingLease;
  readonly clock: Clock;
}

const LIST_READ = 1_000;
/** Two keys each, in one transaction. */
const BROKEN_AT_ONCE = 60;
/** For how long the end of a lease is tried again. */
const END_SECONDS = 60n;
/** One who has waited longer is given its whole time to live anew. */
const LONG_WAIT_MS = 1_000;

/** Creates the service. */
export function createLockService(deps: LockServiceDeps): LockService {
  const { store, leases, watch, engine, fadingLease, clock } = deps;
  const holdDeps = { ...deps, positions: new QueuePositions(deps) };

  /** Runs with a new lease that is kept meanwhile, and ended where that fails. */
  async function withLease(
    ttlSeconds: bigint,
    options: OperationOptions,
    run: (
      leaseId: () => Promise<bigint>,
      options: OperationOptions,
    ) => Promise<Omit<AcquiredLock, 'expireMs' | 'leaseId'>>,
  ): Promise<AcquiredLock> {
    const lost = new AbortController();
    let lease: { readonly leaseId: bigint; readonly ttlSeconds: bigint; readonly sentMs: number } | undefined;
    let kept: ReturnType<LeaseEngine['keep']> | undefined;
    async function leaseId(): Promise<bigint> {
      if (lease === undefined) {
        const sentMs = clock.now();
        lease = { ...(await grantLease(deps, { ttlSeconds }, options)), sentMs };
        kept = engine.keep(lease, { lost: (error) => lost.abort(error) });
      }
      return lease.leaseId;
    }
    try {
      const signal = AbortSignal.any([options.signal, lost.signal]);
      const acquired = await run(leaseId, { signal });
      if (lease === undefined || kept === undefined) throw new Error('a lock was acquired without a lease');
      engine.release(kept);
      // From here on its holder keeps it; who waited long is given the whole time to live all the same.
      const sentMs = clock.now();
      if (sentMs - lease.sentMs > LONG_WAIT_MS)
        lease = { ...(await leases.keepAlive(lease.leaseId, options)), sentMs };
      options.signal.throwIfAborted();
      const expireMs = lease.sentMs + Number(lease.ttlSeconds) * 1_000;
      return { ...acquired, leaseId: lease.leaseId, expireMs };
    } catch (error) {
      if (kept !== undefined) engine.release(kept);
      if (lease !== undefined) void endLease(deps, lease);
      throw error;
    }
  }

  async function take(standing: Standing, options: OperationOptions) {
    const revision = await takeTurn(deps, standing, () => {}, options);
    return { revision, token: standing.token };
  }

  async function readHolders(name: string, token: bigint | undefined, options: OperationOptions) {
    const { kvs } = await store.read({ kind: 'read', range: lockRange(name) }, options);
    return lockState(name, kvs).holders.filter((holder) => token === undefined || holder.token === token);
  }

  return {
    acquire: ({ name, claim, ttlSeconds }, options) =>
      withLease(ttlSeconds, options, async (leaseId, during) =>
        take(await enqueue(deps, name, claim, await leaseId(), during), during),
      ),

    tryAcquire: ({ name, claim, ttlSeconds }, options) =>
      withLease(ttlSeconds, options, async (leaseId, during) =>
        take(await enqueueIfFree(deps, name, claim, leaseId, during), during),
      ),

    hold: (query, options) => holdLock(holdDeps, query, options),

    async release(name, token, options) {
      const range = singleKey(lockHolderKey(name, token));
      const released = releasedKey(name, token);
      const { results, revision } = await store.txn(
        {
          kind: 'txn',
          compares: [],
          success: [
            { kind: 'read', range },
            { kind: 'read', range: released, view: 'keys' },
          ],
          failure: [],
        },
        options,
      );
      const [held, before] = results.map((result) => (result.kind === 'read' ? result.kvs[0] : undefined));
      if (before !== undefined) return { revision };
      if (held === undefined) throw notLockHolder(name, token);

      const { leaseId } = held;
      const deleted = deletions(name, [{ mode: modeIn(held.value), token, leaseId }]);
      const remembered = { kind: 'put', key: released.key, value: new Uint8Array() } as const;
      const compares = [isSomeKeyIn(range)];
      const failure = [{ kind: 'read', range: released, view: 'keys' } as const];
      const outcome = await fadingLease((fading) => {
        const success = [...deleted, { ...remembered, leaseId: fading }];
        return store.txn({ kind: 'txn', compares, success, failure }, options);
      }, options);
      const [other] = outcome.results;
      const isReleased = outcome.succeeded || (other?.kind === 'read' && other.kvs.length > 0);
      if (!isReleased) throw notLockHolder(name, token);
      void endLease(deps, { leaseId, ttlSeconds: END_SECONDS });
      return { revision: outcome.revision };
    },

    async get(name, freshness, options) {
      const { kvs, revision } = await freshRead(
        (serializable) => store.read({ kind: 'read', range: lockRange(name), serializable }, options),
        freshness,
      );
      return { ...lockState(name, kvs), revision };
    },

    async list({ prefix, pageSize, cursor, ...freshness }, options) {
      const whole = locksRange(prefix);
      const start =
        cursor === undefined ? whole.start : (prefixEnd(lockRange(cursor.after).start) ?? whole.start);
      const byName = new Map<string, KeyValue[]>();
      let revision = cursor?.revision ?? 0n;
      for (let page: ListCursor | undefined; ; ) {
        const query = {
          range: { ...whole, start },
          view: 'full',
          order: 'ascending',
          pageSize: LIST_READ,
        } as const;
        const read = await list(store, { ...query, ...freshness, revision, cursor: page }, options);
        revision = read.revision;
        for (const kv of read.kvs) {
          const name = readLockKey(kv.key)?.name;
          if (name === undefined) continue;
          const known = byName.get(name);
          if (known !== undefined) known.push(kv);
          else if (byName.size < pageSize) byName.set(name, [kv]);
          else return lockPage(byName, revision, true);
        }
        if (read.next === undefined) return lockPage(byName, revision, false);
        page = read.next;
      }
    },

    watch: (query, options) => watchLock(watch, query, options),

    async verify(name, token, freshness, options) {
      const range = singleKey(lockHolderKey(name, token));
      const { kvs, revision } = await freshRead(
        (serializable) => store.read({ kind: 'read', range, view: 'keys', serializable }, options),
        freshness,
      );
      return { isHeld: kvs.length > 0, revision };
    },

    async break(name, token, options) {
      const broken = await readHolders(name, token, options);
      let revision = 0n;
      for (let from = 0; from === 0 || from < broken.length; from += BROKEN_AT_ONCE) {
        const success = deletions(name, broken.slice(from, from + BROKEN_AT_ONCE));
        ({ revision } = await store.txn({ kind: 'txn', compares: [], success, failure: [] }, options));
      }
      for (const { leaseId } of broken) void endLease(deps, { leaseId, ttlSeconds: END_SECONDS });
      return { revision, broken };
    },
  };
}

/** What is deleted of holders that hold no longer; their leases are ended besides. */
function deletions(
  name: string,
  holders: readonly Pick<Holder, 'mode' | 'token' | 'leaseId'>[],
): readonly DeleteOperation[] {
  return holders
    .flatMap(({ mode, token, leaseId }) => [lockHolderKey(name, token), queueKey(name, mode, leaseId)])
    .map((key) => ({ kind: 'delete', range: singleKey(key) }));
}

function lockPage(
  byName: ReadonlyMap<string, readonly KeyValue[]>,
  revision: bigint,
  isMore: boolean,
): LockPage {
  const locks = [...byName].map(([name, kvs]) => lockState(name, kvs));
  const last = locks.at(-1);
  return { revision, locks, next: isMore && last !== undefined ? { revision, after: last.name } : undefined };
}

function notLockHolder(name: string, token: bigint): DomainError {
  return new DomainError(
    'NOT_LOCK_HOLDER',
    `Token ${token} does not hold lock "${name}"; nothing was released`,
    { lock: name, fencing_token: String(token) },
  );
}
