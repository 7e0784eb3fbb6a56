// An in-memory store that keeps every revision. What is compacted can no longer be read, but the model still knows it.

import { DomainError } from '../../../src/domain/errors.ts';
import { contains } from '../../../src/domain/key-range.ts';
import type {
  AtRevision,
  KeyValue,
  KeyValueStore,
  LeaseStore,
  OperationOptions,
  OperationResult,
  ReadOperation,
  ReadResult,
  StoreEvent,
  Txn,
  TxnResult,
} from '../../../src/domain/store.ts';
import { bytes, text } from './bytes.ts';

/** One step of a commit. */
export type Write =
  | {
      readonly kind: 'put';
      readonly key: string;
      readonly value: string | Uint8Array;
      readonly lease?: bigint;
    }
  | { readonly kind: 'delete'; readonly key: string };

/** What one revision changed. */
export interface Commit {
  readonly revision: bigint;
  readonly events: readonly StoreEvent[];
  /** The lease whose end it is. */
  readonly endedLease: bigint | undefined;
}

/** Where a call waits: before it looks at the store, or after. */
export type HoldPoint = 'read' | 'answer' | 'lease';

/** A store of which a test decides everything. Its answers come in microtasks. */
export class FakeStore implements KeyValueStore, Pick<LeaseStore, 'isAlive'> {
  /** From revision 2 on, without a gap. */
  readonly commits: Commit[] = [];
  /** While true, everything rejects as STORE_UNAVAILABLE. */
  isFailing = false;
  /** A read of more bytes rejects as RESPONSE_TOO_LARGE. */
  maxAnswerBytes = Number.POSITIVE_INFINITY;
  reads = 0;
  readonly #states = new Map<bigint, ReadonlyMap<string, KeyValue>>([[1n, new Map()]]);
  readonly #aliveLeases = new Set<bigint>();
  readonly #held = new Map<HoldPoint, PromiseWithResolvers<void>>();
  #compactedRevision = 0n;
  #lastLease = 0n;

  get revision(): bigint {
    return BigInt(this.commits.length + 1);
  }

  get compactedRevision(): bigint {
    return this.#compactedRevision;
  }

  /** Returns the keys as they were at a revision, compacted or not. */
  stateAt(revision: bigint): ReadonlyMap<string, KeyValue> {
    return this.#states.get(revision) ?? new Map();
  }

  /** Returns the commits after one revision up to another. */
  commitsBetween(after: bigint, upTo: bigint): readonly Commit[] {
    return this.commits.slice(Math.max(0, Number(after) - 1), Math.max(0, Number(upTo) - 1));
  }

  /** Writes all at one revision, and returns it. A deletion of what is not there does nothing. */
  commit(writes: readonly Write[]): bigint {
    return this.#commit(writes, undefined);
  }

  put(key: string, value: string | Uint8Array, lease = 0n): bigint {
    return this.commit([{ kind: 'put', key, value, lease }]);
  }

  delete(key: string): bigint {
    return this.commit([{ kind: 'delete', key }]);
  }

  grant(): bigint {
    this.#lastLease += 1n;
    this.#aliveLeases.add(this.#lastLease);
    return this.#lastLease;
  }

  /** Ends a lease; its keys go with it, at one revision. */
  endLease(lease: bigint): void {
    if (!this.#aliveLeases.delete(lease)) return;
    const keys = [...this.stateAt(this.revision)].filter(([, { leaseId }]) => leaseId === lease);
    const writes = keys.map(([key]) => ({ kind: 'delete', key }) as const);
    this.#commit(writes, lease);
  }

  isLeaseAlive(lease: bigint): boolean {
    return this.#aliveLeases.has(lease);
  }

  compact(revision: bigint): void {
    if (revision > this.#compactedRevision && revision <= this.revision) this.#compactedRevision = revision;
  }

  /** Has calls wait at a point until they are let go. */
  hold(point: HoldPoint): void {
    if (!this.#held.has(point)) this.#held.set(point, Promise.withResolvers());
  }

  letGo(point: HoldPoint): void {
    this.#held.get(point)?.resolve();
    this.#held.delete(point);
  }

  async read(operation: ReadOperation, { signal }: OperationOptions): Promise<AtRevision<ReadResult>> {
    await this.#pass('read', signal);
    this.reads += 1;
    const answer = this.#read(operation);
    await this.#pass('answer', signal);
    return answer;
  }

  async txn({ success }: Txn, { signal }: OperationOptions): Promise<AtRevision<TxnResult>> {
    await this.#pass('read', signal);
    const results = success.map((step): OperationResult => {
      if (step.kind !== 'read') throw new Error(`the fake does not ${step.kind}`);
      return this.#read(step);
    });
    const size = results.reduce((sum, result) => sum + (result.kind === 'read' ? sizeOf(result.kvs) : 0), 0);
    this.#checkSize(size);
    await this.#pass('answer', signal);
    return { kind: 'txn', succeeded: true, results, revision: this.revision };
  }

  async isAlive(leaseId: bigint, { signal }: OperationOptions): Promise<boolean> {
    await this.#pass('lease', signal);
    return this.#aliveLeases.has(leaseId);
  }

  #commit(writes: readonly Write[], endedLease: bigint | undefined): bigint {
    const state = this.stateAt(this.revision);
    const revision = this.revision + 1n;
    const events = writes.flatMap((write): StoreEvent[] => {
      const previous = state.get(write.key);
      if (write.kind === 'put') return [{ kind: 'put', kv: written(write, revision, previous), previous }];
      if (previous === undefined) return [];
      return [{ kind: 'delete', key: bytes(write.key), revision, previous }];
    });
    if (events.length === 0) return this.revision;
    const next = new Map(state);
    for (const event of events) {
      if (event.kind === 'put') next.set(text(event.kv.key), event.kv);
      else next.delete(text(event.key));
    }
    this.commits.push({ revision, events, endedLease });
    this.#states.set(revision, next);
    return revision;
  }

  #read({
    range,
    view = 'full',
    order = 'ascending',
    limit = Number.POSITIVE_INFINITY,
    revision = 0n,
  }: ReadOperation): AtRevision<ReadResult> {
    const at = revision === 0n ? this.revision : revision;
    const metadata = { revision: String(at) };
    if (at > this.revision) throw new DomainError('REVISION_IN_FUTURE', 'The revision is to come', metadata);
    if (at < this.#compactedRevision)
      throw new DomainError('REVISION_COMPACTED', 'The revision is gone', metadata);
    const found = [...this.stateAt(at).values()]
      .filter(({ key }) => contains(range, key))
      .sort((a, b) => Buffer.compare(a.key, b.key));
    if (order === 'descending') found.reverse();
    const shown = view === 'count' ? [] : found.slice(0, limit);
    const kvs = view === 'full' ? shown : shown.map((kv) => ({ ...kv, value: new Uint8Array() }));
    this.#checkSize(sizeOf(kvs));
    const more = view !== 'count' && found.length > limit;
    return { kind: 'read', kvs, count: BigInt(found.length), more, revision: this.revision };
  }

  #checkSize(size: number): void {
    if (size > this.maxAnswerBytes) throw new DomainError('RESPONSE_TOO_LARGE', 'The answer is too large');
  }

  async #pass(point: HoldPoint, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const held = this.#held.get(point);
    if (held !== undefined) {
      const aborted = Promise.withResolvers<void>();
      const abort = () => aborted.reject(signal.reason);
      signal.addEventListener('abort', abort, { once: true });
      await Promise.race([held.promise, aborted.promise]);
      signal.removeEventListener('abort', abort);
    }
    if (this.isFailing) throw new DomainError('STORE_UNAVAILABLE', 'The store is away');
  }
}

function written(
  { key, value, lease = 0n }: Extract<Write, { kind: 'put' }>,
  revision: bigint,
  previous: KeyValue | undefined,
): KeyValue {
  return {
    key: bytes(key),
    value: typeof value === 'string' ? bytes(value) : value,
    createRevision: previous?.createRevision ?? revision,
    modRevision: revision,
    version: (previous?.version ?? 0n) + 1n,
    leaseId: lease,
  };
}

function sizeOf(kvs: readonly KeyValue[]): number {
  return kvs.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
}
