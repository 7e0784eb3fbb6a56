// Who watches: each subscriber has a key, on one lease of the gateway that serves it, so that all gateways know of it and it goes
// with its gateway. What it acknowledges stands in a key of its own on the same lease, which any gateway may write.

import type { Clock } from '../clock.ts';
import { isSomeKeyIn } from '../conditions.ts';
import { DomainError } from '../errors.ts';
import { singleKey } from '../key-range.ts';
import { grantLease } from '../lease/grant-lease.ts';
import type { KeptLease, LeaseEngine } from '../lease/lease-engine.ts';
import { type ListCursor, list } from '../reading/list.ts';
import { readKeys } from '../reading/read-keys.ts';
import type { AtRevision, KeyValueStore, LeaseStore, Operation, OperationOptions } from '../store.ts';
import type { ConfigKeys } from './config-keys.ts';
import {
  type Acknowledgement,
  acknowledgementValue,
  readSubscriber,
  type Subscriber,
  type SubscriberDetails,
  subscriberValue,
} from './subscriber-record.ts';

/** What it needs. */
export interface SubscribersDeps {
  readonly store: KeyValueStore;
  readonly leases: LeaseStore;
  readonly engine: LeaseEngine;
  readonly clock: Clock;
  readonly keys: ConfigKeys;
}

/** One who watches by this gateway. */
export interface OpenSubscriber {
  readonly id: string;
  /** Resolves when all gateways can know of it, or it is not worth waiting longer. */
  readonly isKnown: Promise<void>;
  /** Everything up to a revision was sent. */
  sent(revision: bigint): void;
  close(): void;
}

interface Entry {
  readonly application: string;
  readonly id: string;
  readonly details: SubscriberDetails;
  readonly known: PromiseWithResolvers<void>;
  sentRevision: bigint;
  isClosed: boolean;
}

/** How long others list the subscribers of a gateway that was killed, in seconds. */
const TTL_SECONDS = 15n;
/** How often it is written how far subscribers are, at most. */
const REPORT_MS = 1_000;
/** Those who come together are written together. */
const GATHER_MS = 5;
const RETRY_MS = 1_000;
const KNOWN_TIMEOUT_MS = 1_000;
/** Each is one operation, or two; etcd takes 128 in one transaction unless it is told otherwise (--max-txn-ops). */
const MAX_AT_ONCE = 60;

/** Tells all gateways of the subscribers of this one, until it is disposed. */
export class Subscribers implements AsyncDisposable {
  readonly #deps: SubscribersDeps;
  readonly #abort = new AbortController();
  readonly #open = new Set<Entry>();
  /** To be written now: those who come and go, and who waited long enough. */
  readonly #due = new Set<Entry>();
  /** Were sent something since they were written. */
  readonly #behind = new Set<Entry>();
  #lease: { readonly leaseId: bigint; readonly kept: KeptLease } | undefined;
  #timer: { readonly atMs: number; readonly cancel: () => void } | undefined;
  #isWriting = false;

  constructor(deps: SubscribersDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Adds a subscriber. `id` is unique; letters, digits and `-`. */
  open(application: string, id: string, details: SubscriberDetails): OpenSubscriber {
    const known = Promise.withResolvers<void>();
    const entry: Entry = { application, id, details, known, sentRevision: 0n, isClosed: false };
    this.#open.add(entry);
    this.#due.add(entry);
    this.#arm(GATHER_MS);
    const cancel = this.#deps.clock.after(KNOWN_TIMEOUT_MS, known.resolve);
    return {
      id,
      isKnown: known.promise.finally(cancel),
      sent: (revision) => {
        entry.sentRevision = revision;
        this.#behind.add(entry);
        this.#arm(REPORT_MS);
      },
      close: () => {
        entry.isClosed = true;
        this.#open.delete(entry);
        this.#due.add(entry);
        this.#arm(GATHER_MS);
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort(new Error('the subscribers were disposed'));
    this.#timer?.cancel();
    const lease = this.#lease;
    if (lease === undefined) return;
    this.#deps.engine.release(lease.kept);
    // A lease that cannot be revoked now ends by itself.
    await this.#deps.leases.revoke(lease.leaseId, new AbortController()).catch(() => {});
  }

  #arm(withinMs: number): void {
    const { clock } = this.#deps;
    const atMs = clock.now() + withinMs;
    if (this.#abort.signal.aborted || this.#isWriting) return;
    if (this.#timer !== undefined && this.#timer.atMs <= atMs) return;
    this.#timer?.cancel();
    this.#timer = { atMs, cancel: clock.after(withinMs, () => void this.#write()) };
  }

  async #write(): Promise<void> {
    this.#timer = undefined;
    this.#isWriting = true;
    for (const entry of this.#behind) this.#due.add(entry);
    this.#behind.clear();
    let isWritten = true;
    while (isWritten && this.#due.size > 0) isWritten = await this.#writeSome();
    this.#isWriting = false;
    if (!isWritten) this.#arm(RETRY_MS);
    else if (this.#behind.size > 0) this.#arm(REPORT_MS);
  }

  /** Returns whether they could be. */
  async #writeSome(): Promise<boolean> {
    const some = [...this.#due].slice(0, MAX_AT_ONCE);
    for (const entry of some) this.#due.delete(entry);
    try {
      const leaseId = await this.#leaseId();
      const success = some.flatMap((entry) => this.#operations(entry, leaseId));
      await this.#deps.store.txn({ kind: 'txn', compares: [], success, failure: [] }, this.#abort);
      for (const { known } of some) known.resolve();
      return true;
    } catch (error) {
      // The store does not answer, or the lease has just ended: it is written again.
      for (const entry of some) this.#due.add(entry);
      if (error instanceof DomainError && error.reason === 'LEASE_NOT_FOUND') this.#lost();
      return false;
    }
  }

  #operations(
    { application, id, details, sentRevision, isClosed }: Entry,
    leaseId: bigint,
  ): readonly Operation[] {
    const { keys } = this.#deps;
    const key = keys.subscriber(application, id);
    if (!isClosed) return [{ kind: 'put', key, value: subscriberValue(details, sentRevision), leaseId }];
    return [key, keys.acknowledged(application, id)].map((each) => ({
      kind: 'delete',
      range: singleKey(each),
    }));
  }

  async #leaseId(): Promise<bigint> {
    if (this.#lease !== undefined) return this.#lease.leaseId;
    const { clock, engine } = this.#deps;
    const sentMs = clock.now();
    const { leaseId, ttlSeconds } = await grantLease(this.#deps, { ttlSeconds: TTL_SECONDS }, this.#abort);
    const kept = engine.keep({ leaseId, ttlSeconds, sentMs }, { lost: () => this.#lost() });
    this.#lease = { leaseId, kept };
    return leaseId;
  }

  /** Everything is written again, on another lease. */
  #lost(): void {
    if (this.#lease !== undefined) this.#deps.engine.release(this.#lease.kept);
    this.#lease = undefined;
    for (const entry of this.#open) this.#due.add(entry);
    this.#arm(RETRY_MS);
  }
}

/** Lists who watches an application, at this gateway or another. Each page is true when it is read. */
export async function listSubscribers(
  { store, keys }: Pick<SubscribersDeps, 'store' | 'keys'>,
  application: string,
  page: { readonly pageSize: number; readonly cursor: ListCursor | undefined },
  options: OperationOptions,
): Promise<
  AtRevision<{ readonly subscribers: readonly Subscriber[]; readonly next: ListCursor | undefined }>
> {
  const query = {
    range: keys.subscribersOf(application),
    view: 'full',
    order: 'ascending',
    ...page,
  } as const;
  const freshness = { revision: 0n, serializable: false, minRevision: 0n };
  const { kvs, next, revision } = await list(store, { ...query, ...freshness }, options);
  const ids = kvs.map(({ key }) => keys.subscriberId(key));
  const acknowledged = await readKeys(
    store,
    ids.map((id) => keys.acknowledged(application, id)),
    options,
    revision,
  );
  const subscribers = kvs.map(({ value }, i) => readSubscriber(ids[i] ?? '', value, acknowledged[i]));
  return { subscribers, next, revision };
}

/** Writes down what a subscriber of any gateway says. Rejects with SUBSCRIBER_NOT_FOUND. */
export async function acknowledge(
  { store, keys }: Pick<SubscribersDeps, 'store' | 'keys'>,
  application: string,
  id: string,
  said: Acknowledgement,
  options: OperationOptions,
): Promise<{ readonly revision: bigint }> {
  const range = singleKey(keys.subscriber(application, id));
  const value = acknowledgementValue(said);
  for (let endedLeaseId = 0n; ; ) {
    const { kvs } = await store.read({ kind: 'read', range, view: 'keys' }, options);
    const leaseId = kvs[0]?.leaseId ?? 0n;
    if (leaseId === endedLeaseId || leaseId === 0n) throw subscriberNotFound(application, id);
    const put = { kind: 'put', key: keys.acknowledged(application, id), value, leaseId } as const;
    const compares = [isSomeKeyIn(range)];
    try {
      const { succeeded, revision } = await store.txn(
        { kind: 'txn', compares, success: [put], failure: [] },
        options,
      );
      if (succeeded) return { revision };
    } catch (error) {
      if (!(error instanceof DomainError && error.reason === 'LEASE_NOT_FOUND')) throw error;
      // Its gateway may have written it on another one meanwhile.
      endedLeaseId = leaseId;
    }
  }
}

function subscriberNotFound(application: string, id: string): DomainError {
  return new DomainError(
    'SUBSCRIBER_NOT_FOUND',
    `No subscriber "${id}" watches "${application}"; the id is in the messages of its stream`,
    { application, subscriber_id: id },
  );
}
