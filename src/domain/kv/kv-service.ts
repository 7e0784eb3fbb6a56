// The key-value service: what KvService of the contract does, on bytes and bigints.
// Each method is one transaction or read of the store, or pages of reads at one revision.

import { DomainError } from '../errors.ts';
import type { Fence } from '../fence.ts';
import { type KeyRange, singleKey } from '../key-range.ts';
import { type Freshness, freshRead } from '../reading/fresh-read.ts';
import { type ListPage, type ListQuery, list } from '../reading/list.ts';
import type {
  AtRevision,
  GrantedLease,
  KeyValue,
  KeyValueStore,
  LeaseStore,
  OperationOptions,
  PutOperation,
  ReadOperation,
  Txn,
  TxnResult,
} from '../store.ts';
import { conditionalTxn, type Expectation } from '../writing/conditional-txn.ts';
import { keyText } from '../writing/key-text.ts';
import { type ChildrenPage, type ChildrenQuery, listChildren } from './list-children.ts';

/** What a read of single keys asks for. `revision` 0n: the newest. */
export interface ReadQuery extends Freshness {
  readonly revision: bigint;
}

/** Keys found, in the order asked for, and keys that do not exist. */
export interface BatchGetResult {
  readonly kvs: readonly KeyValue[];
  readonly missingKeys: readonly Uint8Array[];
}

/** One key and what to write. */
export interface PutEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** 0n: none of its own. */
  readonly leaseId: bigint;
  readonly expectedRevision: bigint | undefined;
}

/** What surrounds a write. */
export interface WriteContext {
  /** How long the lease lives that entries without one are attached to, in whole seconds from 1; undefined: no such lease. */
  readonly ttlSeconds?: bigint | undefined;
  readonly fence?: Fence | undefined;
}

/** What a put did. */
export interface PutOutcome {
  readonly previous: KeyValue | undefined;
  readonly leaseId: bigint;
  readonly version: bigint;
}

/** Reads and writes keys. Every method also rejects as {@link KeyValueStore} and {@link LeaseStore} do. */
export interface KvService {
  /** Rejects with KEY_NOT_FOUND. */
  get(
    key: Uint8Array,
    query: ReadQuery,
    options: OperationOptions,
  ): Promise<AtRevision<{ readonly kv: KeyValue }>>;
  /** Takes 1 to 128 keys. */
  batchGet(
    keys: readonly Uint8Array[],
    query: ReadQuery,
    options: OperationOptions,
  ): Promise<AtRevision<BatchGetResult>>;
  list(query: ListQuery, options: OperationOptions): Promise<ListPage>;
  listChildren(query: ChildrenQuery, options: OperationOptions): Promise<ChildrenPage>;
  /** Rejects with REVISION_MISMATCH, LEASE_NOT_FOUND or FENCE_LOST. */
  put(
    entry: PutEntry,
    context: WriteContext & { readonly returnPrevious: boolean },
    options: OperationOptions,
  ): Promise<AtRevision<PutOutcome>>;
  /** Writes all entries or none. Rejects as put, and with KEY_DUPLICATE. Returns the new lease, 0n without a ttl. */
  batchPut(
    entries: readonly PutEntry[],
    context: WriteContext,
    options: OperationOptions,
  ): Promise<AtRevision<{ readonly leaseId: bigint }>>;
  /** Deletes a key or a range. Rejects with REVISION_MISMATCH or FENCE_LOST. */
  delete(
    range: KeyRange,
    context: {
      readonly expectedRevision: bigint | undefined;
      readonly fence: Fence | undefined;
      readonly returnPrevious: boolean;
    },
    options: OperationOptions,
  ): Promise<AtRevision<{ readonly deletedCount: bigint; readonly previous: readonly KeyValue[] }>>;
  /** Rejects with KEY_DUPLICATE, TOO_MANY_OPERATIONS or FENCE_LOST. */
  txn(txn: Txn, fence: Fence | undefined, options: OperationOptions): Promise<AtRevision<TxnResult>>;
}

/** Creates the service on a store. */
export function createKvService(store: KeyValueStore, leases: LeaseStore): KvService {
  return {
    async get(key, query, options) {
      const range = singleKey(key);
      const answer = await freshRead(
        (serializable) =>
          store.read({ kind: 'read', range, revision: query.revision, serializable }, options),
        query,
      );
      const kv = answer.kvs[0];
      const revision = query.revision === 0n ? answer.revision : query.revision;
      if (kv === undefined) throw keyNotFound(key, revision);
      return { kv, revision };
    },

    async batchGet(keys, query, options) {
      const answer = await freshRead((serializable) => {
        const success = keys.map(
          (key): ReadOperation => ({
            kind: 'read',
            range: singleKey(key),
            revision: query.revision,
            serializable,
          }),
        );
        return store.txn({ kind: 'txn', compares: [], success, failure: [] }, options);
      }, query);
      const found = answer.results.map((result) => (result.kind === 'read' ? result.kvs[0] : undefined));
      return {
        kvs: found.filter((kv) => kv !== undefined),
        missingKeys: keys.filter((_, i) => found[i] === undefined),
        revision: query.revision === 0n ? answer.revision : query.revision,
      };
    },

    list: (query, options) => list(store, query, options),

    listChildren: (query, options) => listChildren(store, query, options),

    put(entry, { ttlSeconds, fence, returnPrevious }, options) {
      return withLease(leases, ttlSeconds, options, async (newLeaseId) => {
        const put = { ...putOperation(entry, newLeaseId), returnPrevious };
        const readBack: ReadOperation = { kind: 'read', range: singleKey(entry.key), view: 'keys' };
        const conditions = { fence, expectations: expectationsOf([entry]) };
        const { results, revision } = await conditionalTxn(store, [put, readBack], conditions, options);
        const [written, stored] = results;
        return {
          previous: written?.kind === 'put' ? written.previous : undefined,
          leaseId: put.leaseId,
          version: (stored?.kind === 'read' ? stored.kvs[0]?.version : undefined) ?? 0n,
          revision,
        };
      });
    },

    async batchPut(entries, { ttlSeconds, fence }, options) {
      rejectDuplicates(entries);
      return withLease(leases, ttlSeconds, options, async (newLeaseId) => {
        const puts = entries.map((entry) => putOperation(entry, newLeaseId));
        const conditions = { fence, expectations: expectationsOf(entries) };
        const { revision } = await conditionalTxn(store, puts, conditions, options);
        return { leaseId: newLeaseId, revision };
      });
    },

    async delete(range, { expectedRevision, fence, returnPrevious }, options) {
      const expectations = expectedRevision === undefined ? [] : [{ range, expectedRevision }];
      const operations = [{ kind: 'delete', range, returnPrevious } as const];
      const { results, revision } = await conditionalTxn(store, operations, { fence, expectations }, options);
      const [result] = results;
      return result?.kind === 'delete'
        ? { deletedCount: result.deletedCount, previous: result.previous, revision }
        : { deletedCount: 0n, previous: [], revision };
    },

    async txn(txn, fence, options) {
      if (fence === undefined) return store.txn(txn, options);
      const { results, revision } = await conditionalTxn(store, [txn], { fence }, options);
      const [result] = results;
      if (result?.kind !== 'txn') throw new Error('the store answered a transaction with something else');
      return { ...result, revision };
    },
  };
}

/** Runs a write with a new lease of `ttlSeconds` (0n without), and revokes it again where the write surely did not happen. */
async function withLease<T>(
  leases: LeaseStore,
  ttlSeconds: bigint | undefined,
  options: OperationOptions,
  write: (leaseId: bigint) => Promise<T>,
): Promise<T> {
  if (ttlSeconds === undefined) return write(0n);
  const lease = await leases.grant({ ttlSeconds }, options);
  try {
    return await write(lease.leaseId);
  } catch (error) {
    if (isSurelyNotWritten(error)) await revokeQuietly(leases, lease, options);
    throw error;
  }
}

/** The caller learns of the write's failure; a lease that cannot be revoked now ends by itself, at its ttl. */
async function revokeQuietly(
  leases: LeaseStore,
  lease: GrantedLease,
  options: OperationOptions,
): Promise<void> {
  try {
    await leases.revoke(lease.leaseId, options);
  } catch (error) {
    if (!(error instanceof DomainError) && !options.signal.aborted) throw error;
  }
}

function isSurelyNotWritten(error: unknown): boolean {
  return error instanceof DomainError && error.reason !== 'OUTCOME_UNKNOWN';
}

function putOperation(entry: PutEntry, newLeaseId: bigint): PutOperation & { readonly leaseId: bigint } {
  const leaseId = entry.leaseId === 0n ? newLeaseId : entry.leaseId;
  return { kind: 'put', key: entry.key, value: entry.value, leaseId };
}

function expectationsOf(entries: readonly PutEntry[]): Expectation[] {
  return entries.flatMap(({ key, expectedRevision }) =>
    expectedRevision === undefined ? [] : [{ range: singleKey(key), expectedRevision }],
  );
}

function rejectDuplicates(entries: readonly PutEntry[]): void {
  const seen = new Set<string>();
  for (const { key } of entries) {
    const identity = key.join();
    if (seen.has(identity)) {
      throw new DomainError('KEY_DUPLICATE', `Key "${keyText(key)}" is written twice; name each key once`, {
        key: keyText(key),
      });
    }
    seen.add(identity);
  }
}

function keyNotFound(key: Uint8Array, revision: bigint): DomainError {
  return new DomainError('KEY_NOT_FOUND', `Key "${keyText(key)}" does not exist at revision ${revision}`, {
    key: keyText(key),
    revision: String(revision),
  });
}
