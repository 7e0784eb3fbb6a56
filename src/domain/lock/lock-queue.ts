// The queue of a lock: who comes puts its key in, and holds the lock as soon as those before it that stand in its way are gone.
//
// What is before a place in the queue only becomes less: others come behind it. So who has once seen that nobody is in its way may
// hold the lock for as long as its own key exists, and a read that is a moment old can only make it wait longer. That is why one
// who waits watches a single key, of the last one in its way, and not the queue.

import type { Clock } from '../clock.ts';
import { createdAt, isAbsent, isNoKeyAfter, isSomeKeyIn } from '../conditions.ts';
import { DomainError } from '../errors.ts';
import { lockHolderKey } from '../fence.ts';
import { type KeyRange, keyId, singleKey } from '../key-range.ts';
import { persistently } from '../persistently.ts';
import { freshRead } from '../reading/fresh-read.ts';
import type {
  KeyValue,
  KeyValueStore,
  OperationOptions,
  OperationResult,
  ReadOperation,
  Txn,
  WatchSource,
} from '../store.ts';
import { type LockMode, queueKey, queueRange, readLockKey } from './lock-keys.ts';
import { type Claim, claimValue, readClaim } from './lock-state.ts';
import { blockers, isInTheWay, toleratedBy, useMismatch } from './lock-use.ts';
import { untilGone } from './until-gone.ts';

/** A place in the queue of a lock. */
export interface Place {
  readonly name: string;
  readonly claim: Claim;
  readonly leaseId: bigint;
  /** The revision at which it was taken: the fencing token of its holder. */
  readonly token: bigint;
}

/** A place, and who stands before it. */
export interface Standing extends Place {
  readonly revision: bigint;
  /** Their keys, in the order in which they came. */
  readonly ahead: readonly KeyValue[];
}

/** What a queue needs. */
export interface LockQueueDeps {
  readonly store: KeyValueStore;
  readonly source: WatchSource;
  readonly clock: Clock;
}

/** How often one who tries is overtaken by another who changes the queue at the same time. */
const MAX_RACES = 20;

/**
 * Puts a lease in a queue.
 *
 * Rejects with LOCK_MODE_MISMATCH where the lock is in use in another way; it is then out of the queue again.
 */
export async function enqueue(
  { store, clock }: LockQueueDeps,
  name: string,
  claim: Claim,
  leaseId: bigint,
  options: OperationOptions,
): Promise<Standing> {
  const key = queueKey(name, claim.mode, leaseId);
  const put = { kind: 'put', key, value: claimValue(claim, clock.wallMs()), leaseId } as const;
  const reads = queueReads(name);
  const compares = [isAbsent(key)];
  const { results, revision } = await persistently(
    clock,
    () => store.txn({ kind: 'txn', compares, success: [put, ...reads], failure: reads }, options),
    options,
  );
  const { kvs, eldest } = readQueue(results.slice(-reads.length));
  const mismatch = useMismatch(name, claim, eldest);
  if (mismatch === undefined) return standingIn(kvs, { name, claim, leaseId }, key, revision);
  const deletion = { kind: 'delete', range: singleKey(key) } as const;
  await persistently(
    clock,
    () => store.txn({ kind: 'txn', compares: [], success: [deletion], failure: [] }, options),
    options,
  );
  throw mismatch;
}

/**
 * Puts a lease in a queue only if it then holds the lock at once; undefined: it would have to wait.
 *
 * Rejects with LOCK_HELD, or with LOCK_MODE_MISMATCH where the lock is in use in another way.
 *
 * @param lease called once it is worth having one.
 */
export async function enqueueIfFree(
  { store, clock }: LockQueueDeps,
  name: string,
  claim: Claim,
  lease: () => Promise<bigint>,
  options: OperationOptions,
): Promise<Standing> {
  const reads = queueReads(name);
  for (let races = 0; ; races++) {
    const seen = await store.txn({ kind: 'txn', compares: [], success: reads, failure: [] }, options);
    const { kvs, eldest } = readQueue(seen.results);
    const mismatch = useMismatch(name, claim, eldest);
    if (mismatch !== undefined) throw mismatch;
    if (isInTheWay(claim, kvs) || races === MAX_RACES) throw lockHeld(name, eldest);

    const leaseId = await lease();
    const key = queueKey(name, claim.mode, leaseId);
    const put = { kind: 'put', key, value: claimValue(claim, clock.wallMs()), leaseId } as const;
    const place = { name, claim, leaseId };
    const enter = [put, ...reads];
    // Etcd calls a condition on a range false where the range is empty.
    const isEmpty = kvs.length === 0;
    const txn: Txn = {
      kind: 'txn',
      compares: [isEmpty ? isSomeKeyIn(queueRange(name)) : isNoKeyAfter(queueRange(name), seen.revision)],
      success: isEmpty ? reads : enter,
      failure: isEmpty ? enter : reads,
    };
    const { succeeded, results, revision } = await persistently(
      clock,
      () => store.txn(txn, options),
      options,
    );
    const found = readQueue(results.slice(-reads.length)).kvs;
    const hasEntered = succeeded !== isEmpty || found.some((kv) => keyId(kv.key) === keyId(key));
    if (hasEntered) return standingIn(found, place, key, revision);
  }
}

/** Returns the place that a lease has in a queue, or undefined where it has none. */
export async function findPlace(
  { store }: LockQueueDeps,
  name: string,
  mode: LockMode,
  leaseId: bigint,
  options: OperationOptions,
): Promise<Standing | undefined> {
  const key = queueKey(name, mode, leaseId);
  const success = [...queueReads(name), { kind: 'read', range: singleKey(key) } as const];
  const { results, revision } = await store.txn({ kind: 'txn', compares: [], success, failure: [] }, options);
  const own = results[2];
  const found = own?.kind === 'read' ? own.kvs[0] : undefined;
  if (found === undefined) return undefined;
  const { wallMs: _, ...claim } = readClaim(found.value, mode);
  return standingIn(readQueue(results).kvs, { name, claim, leaseId }, key, revision);
}

/**
 * Waits until nobody is in the way of a place, and has it hold the lock. Returns the revision since which it does.
 *
 * Rejects with LEASE_NOT_FOUND where the place itself is gone, and with the reason of the signal.
 *
 * @param onPosition told how many stand before it, now and whenever that was found to have changed.
 */
export async function takeTurn(
  deps: LockQueueDeps,
  standing: Standing,
  onPosition: (position: number, revision: bigint) => void,
  options: OperationOptions,
): Promise<bigint> {
  const { name, claim, token } = standing;
  let { ahead, revision } = standing;
  for (;;) {
    onPosition(ahead.length, revision);
    const inTheWay = blockers(claim, ahead);
    const tolerated = toleratedBy(claim);
    if (inTheWay.length <= tolerated) return promote(deps, standing, options);

    const last = inTheWay.at(-1);
    const [range, awaited]: [KeyRange, readonly KeyValue[]] =
      tolerated === 0 && last !== undefined ? [singleKey(last.key), [last]] : [queueRange(name), inTheWay];
    const goneAt = await untilGone(
      deps.source,
      { range, keys: awaited.map(({ key }) => key), leave: tolerated, fromRevision: revision + 1n },
      options,
    );
    const read = { ...queueRead(name), createdBefore: token };
    ({ kvs: ahead, revision } = await persistently(
      deps.clock,
      () =>
        freshRead((serializable) => deps.store.read({ ...read, serializable }, options), {
          serializable: true,
          minRevision: goneAt,
        }),
      options,
    ));
  }
}

/** Returns whether nobody is in the way of a place. */
export function isNext({ claim, ahead }: Standing): boolean {
  return !isInTheWay(claim, ahead);
}

async function promote(
  { store, clock }: LockQueueDeps,
  place: Place,
  options: OperationOptions,
): Promise<bigint> {
  const { name, claim, leaseId, token } = place;
  const key = lockHolderKey(name, token);
  const compares = [createdAt(queueKey(name, claim.mode, leaseId), token), isAbsent(key)];
  const value = claimValue(claim, clock.wallMs());
  const put = { kind: 'put', key, value, leaseId } as const;
  const read = { kind: 'read', range: singleKey(key), view: 'keys' } as const;
  const { succeeded, results, revision } = await persistently(
    clock,
    () => store.txn({ kind: 'txn', compares, success: [put], failure: [read] }, options),
    options,
  );
  if (succeeded) return revision;
  // It may hold the lock since before: by an attempt whose answer was lost, or by the stream that this one resumes.
  const [held] = results.flatMap((result) => (result.kind === 'read' ? result.kvs : []));
  if (held === undefined) throw placeLost(place);
  return held.createRevision;
}

/** All who are in the queue, in order; and the first with what it claims. */
function queueReads(name: string): readonly ReadOperation[] {
  return [queueRead(name), { kind: 'read', range: queueRange(name), order: 'eldest', limit: 1 }];
}

/** Returns the read of all who are in a queue, in the order in which they came, without what they say of themselves. */
export function queueRead(name: string): ReadOperation {
  return { kind: 'read', range: queueRange(name), view: 'keys', order: 'eldest' };
}

function readQueue(results: readonly OperationResult[]): {
  readonly kvs: readonly KeyValue[];
  readonly eldest: KeyValue | undefined;
} {
  const [all, first] = results;
  return {
    kvs: all?.kind === 'read' ? all.kvs : [],
    eldest: first?.kind === 'read' ? first.kvs[0] : undefined,
  };
}

function standingIn(
  queue: readonly KeyValue[],
  place: Omit<Place, 'token'>,
  key: Uint8Array,
  revision: bigint,
): Standing {
  const id = keyId(key);
  const position = queue.findIndex((kv) => keyId(kv.key) === id);
  const own = queue[position];
  if (own === undefined) throw placeLost(place);
  return { ...place, token: own.createRevision, ahead: queue.slice(0, position), revision };
}

function lockHeld(name: string, eldest: KeyValue | undefined): DomainError {
  const key = eldest && readLockKey(eldest.key);
  const owner = eldest && key?.kind === 'queue' ? readClaim(eldest.value, key.mode).owner : '';
  return new DomainError(
    'LOCK_HELD',
    `Lock "${name}" is held; try again later, or wait for it with Acquire`,
    {
      lock: name,
      ...(eldest !== undefined && { fencing_token: String(eldest.createRevision) }),
      ...(owner !== '' && { owner }),
    },
  );
}

function placeLost({ name, leaseId }: Omit<Place, 'token'>): DomainError {
  return new DomainError(
    'LEASE_NOT_FOUND',
    `The place in the queue of lock "${name}" is gone: lease ${leaseId} has ended`,
    { lease_id: String(leaseId) },
  );
}
