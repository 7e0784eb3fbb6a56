// The ports through which the domain reaches a store: an ordered, revisioned key-value store with transactions and leases.
// Src/etcd implements them; everything they say of failures is a DomainError with the reason named.

import type { Cancellation } from './cancellation.ts';
import type { DomainError } from './errors.ts';
import type { KeyRange } from './key-range.ts';

/**
 * What every operation takes. On abort it rejects with `signal.reason`; a write may then have happened or not.
 */
export interface OperationOptions {
  readonly signal: AbortSignal;
  /** Tells the same as `signal`, which is then made only for who asks for it. @default `signal` */
  readonly cancellation?: Cancellation;
}

/** One key and what it holds at one revision. */
export interface KeyValue {
  readonly key: Uint8Array;
  /** Empty where the view leaves values out. */
  readonly value: Uint8Array;
  readonly createRevision: bigint;
  readonly modRevision: bigint;
  /** The number of writes since the key's creation, from 1. */
  readonly version: bigint;
  /** 0n: no lease. */
  readonly leaseId: bigint;
}

/** How much of each key is read. */
export type View = 'full' | 'keys' | 'count';

/**
 * By key; or `newest`: by the revision of the last change, latest first; or by the revision of creation, `eldest` or `youngest`
 * first. All but `ascending` make the store read the whole range.
 */
export type ReadOrder = 'ascending' | 'descending' | 'newest' | 'eldest' | 'youngest';

/** What a read asks for. */
export interface ReadOperation {
  readonly kind: 'read';
  readonly range: KeyRange;
  /** @default 'full' */
  readonly view?: View;
  /** @default 'ascending' */
  readonly order?: ReadOrder;
  /** At most so many keys. @default no limit */
  readonly limit?: number;
  /** Only keys that were created before this revision. @default all */
  readonly createdBefore?: bigint;
  /** The revision to read at. @default the newest */
  readonly revision?: bigint;
  /** Whether one member may answer by itself, perhaps a moment behind. @default false */
  readonly serializable?: boolean;
}

/** What a write asks for. */
export interface PutOperation {
  readonly kind: 'put';
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** @default no lease, and one that the key had is taken from it */
  readonly leaseId?: bigint;
  /** @default false */
  readonly returnPrevious?: boolean;
}

/** What a deletion asks for. */
export interface DeleteOperation {
  readonly kind: 'delete';
  readonly range: KeyRange;
  /** @default false */
  readonly returnPrevious?: boolean;
}

/** A condition on a key; on a range it must be true for every key there, and is false where there is none. */
export interface Compare {
  readonly range: KeyRange;
  readonly comparison: 'equal' | 'notEqual' | 'less' | 'greater';
  readonly target:
    | { readonly kind: 'version' | 'createRevision' | 'modRevision' | 'leaseId'; readonly number: bigint }
    | { readonly kind: 'value'; readonly value: Uint8Array };
}

/** Runs `success` if all compares are true, else `failure`. */
export interface Txn {
  readonly kind: 'txn';
  readonly compares: readonly Compare[];
  readonly success: readonly Operation[];
  readonly failure: readonly Operation[];
}

/** One step of a transaction. */
export type Operation = ReadOperation | PutOperation | DeleteOperation | Txn;

/** What a read found. */
export interface ReadResult {
  readonly kind: 'read';
  readonly kvs: readonly KeyValue[];
  /** How many keys the range holds, whatever the limit. */
  readonly count: bigint;
  /** Whether the limit left keys out. */
  readonly more: boolean;
}

/** What a write did. */
export interface PutResult {
  readonly kind: 'put';
  readonly previous: KeyValue | undefined;
}

/** What a deletion did. */
export interface DeleteResult {
  readonly kind: 'delete';
  readonly deletedCount: bigint;
  readonly previous: readonly KeyValue[];
}

/** What a transaction did. */
export interface TxnResult {
  readonly kind: 'txn';
  readonly succeeded: boolean;
  /** One a step of the branch that ran, in order, each of its step's kind. */
  readonly results: readonly OperationResult[];
}

/** What one step of a transaction did. */
export type OperationResult = ReadResult | PutResult | DeleteResult | TxnResult;

/** An answer and the store revision at which it is true; for a write, the revision that it made. */
export type AtRevision<T> = T & { readonly revision: bigint };

/**
 * Reads and writes keys.
 *
 * Every method rejects with STORE_UNAVAILABLE or STORE_OVERLOADED (nothing was done), DEADLINE_EXCEEDED,
 * STORE_PERMISSION_DENIED, STORE_CREDENTIALS_REJECTED, STORE_CORRUPT or STORE_REJECTED; a write also with OUTCOME_UNKNOWN
 * or STORE_SPACE_EXCEEDED.
 */
export interface KeyValueStore {
  /**
   * Reads a range.
   *
   * Rejects with REVISION_COMPACTED, REVISION_IN_FUTURE or RESPONSE_TOO_LARGE.
   */
  read(operation: ReadOperation, options: OperationOptions): Promise<AtRevision<ReadResult>>;

  /**
   * Runs a transaction, all at one revision and with nothing in between. A transaction that only reads is retried where
   * that is safe; one that writes is retried only if it surely did not reach the store.
   *
   * Rejects with KEY_DUPLICATE, TOO_MANY_OPERATIONS, LEASE_NOT_FOUND, REVISION_COMPACTED, REVISION_IN_FUTURE,
   * REQUEST_TOO_LARGE or RESPONSE_TOO_LARGE.
   */
  txn(txn: Txn, options: OperationOptions): Promise<AtRevision<TxnResult>>;
}

/** One change of one key. */
export type StoreEvent =
  | { readonly kind: 'put'; readonly kv: KeyValue; readonly previous: KeyValue | undefined }
  | {
      readonly kind: 'delete';
      readonly key: Uint8Array;
      readonly revision: bigint;
      /** What was deleted; undefined where the store no longer knows it. */
      readonly previous: KeyValue | undefined;
    };

/** Takes what a watch tells. Its methods must neither throw nor wait. */
export interface WatchSink {
  /** All changes of one revision in the range: revisions come in order, each once, and whole. */
  events(revision: bigint, events: readonly StoreEvent[]): void;
  /** Nothing at or below `revision` is still to come. */
  progress(revision: bigint): void;
  /** The changes that should have come next were compacted away, or the store is another one now. The watch is over. */
  compacted(): void;
  /** The watch is over for a cause that trying again does not mend. */
  failed(error: DomainError): void;
}

/** Which changes to watch. */
export interface WatchRequest {
  readonly range: KeyRange;
  /** The first revision whose changes are told. */
  readonly fromRevision: bigint;
  /** Whether the watch may be paused; it then shares nothing with others. @default false */
  readonly isPausable?: boolean;
}

/** A watch that is open. */
export interface Upstream {
  /** Stops the flow, until resumed, of a watch that is pausable. What is under way still comes. */
  pause(): void;
  resume(): void;
  /** Ends the watch; its sink is told nothing more. Idempotent. */
  close(): void;
}

/**
 * Watches changes. A watch outlives broken connections, members that die or stall, changes of leader and tokens that expire: its
 * sink sees every change once and in order until it is closed, compacted or failed.
 */
export interface WatchSource {
  open(request: WatchRequest, sink: WatchSink): Upstream;
  /** Returns what tells this cluster from others. Rejects as {@link KeyValueStore} does. */
  clusterId(options: OperationOptions): Promise<bigint>;
}

/** A lease as the store granted it. */
export interface GrantedLease {
  readonly leaseId: bigint;
  /** Whole seconds; never less than asked for, and at least the store's minimum. */
  readonly ttlSeconds: bigint;
}

/** What a lease is at the moment. */
export interface LeaseStatus {
  readonly grantedTtlSeconds: bigint;
  /** Whole seconds, rounded down. */
  readonly remainingTtlSeconds: bigint;
  /** Those attached to it, in no order; empty where they were not asked for. */
  readonly keys: readonly Uint8Array[];
}

/**
 * Grants, renews and revokes leases. Fails as {@link KeyValueStore} does.
 *
 * A lease lives at least its time to live, counted from when its grant or its last renewal that succeeded was called.
 */
export interface LeaseStore {
  /**
   * Grants a lease of at least `ttlSeconds` (1 to 9e9), under `leaseId` or else an id that callers can hold as a number.
   *
   * Rejects with LEASE_ALREADY_EXISTS where that id is taken.
   */
  grant(
    request: { readonly ttlSeconds: bigint; readonly leaseId?: bigint | undefined },
    options: OperationOptions,
  ): Promise<AtRevision<GrantedLease>>;

  /**
   * Renews a lease, and returns the time to live that it has again. All renewals share one stream, and a renewal outlives
   * streams that break. Rejects with LEASE_NOT_FOUND where the lease is gone.
   */
  keepAlive(leaseId: bigint, options: OperationOptions): Promise<AtRevision<GrantedLease>>;

  /** Returns what a lease is. Rejects with LEASE_NOT_FOUND where it is gone. */
  timeToLive(
    leaseId: bigint,
    request: { readonly withKeys: boolean },
    options: OperationOptions,
  ): Promise<AtRevision<LeaseStatus>>;

  /** Returns the ids of all leases, in no order. */
  list(options: OperationOptions): Promise<AtRevision<{ readonly leaseIds: readonly bigint[] }>>;

  /** Returns whether a lease exists. */
  isAlive(leaseId: bigint, options: OperationOptions): Promise<boolean>;

  /** Ends a lease and deletes its keys, all at the revision returned. Rejects with LEASE_NOT_FOUND where it is gone already. */
  revoke(leaseId: bigint, options: OperationOptions): Promise<{ readonly revision: bigint }>;
}
