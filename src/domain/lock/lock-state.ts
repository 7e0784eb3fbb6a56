// A lock as its keys tell it.

import type { KeyValue } from '../store.ts';
import { storedFields, storedText, storedTime } from '../stored-fields.ts';
import { isLockMode, type LockMode, readLockKey } from './lock-keys.ts';

/** What one says of itself when it comes. */
export interface Claim {
  readonly mode: LockMode;
  /** Of a semaphore: how many may hold it at once; else 0. */
  readonly permits: number;
  readonly owner: string;
}

/** Holds a lock. */
export interface Holder extends Claim {
  readonly token: bigint;
  readonly leaseId: bigint;
  readonly acquireWallMs: number;
}

/** Waits for a lock. */
export interface Waiter extends Claim {
  /** How many came before it and are still there, holders included. */
  readonly position: number;
  readonly leaseId: bigint;
  readonly enqueueWallMs: number;
}

/** A lock, all in the order in which they came. */
export interface LockState {
  readonly name: string;
  readonly holders: readonly Holder[];
  readonly waiters: readonly Waiter[];
}

const MAX_PERMITS = 10_000;

/** Returns the value of a key that stands for one who waits or holds. `wallMs`: since when. */
export function claimValue(claim: Claim, wallMs: number): Uint8Array {
  const fields = {
    mode: claim.mode,
    ...(claim.permits > 0 && { permits: claim.permits }),
    ...(claim.owner !== '' && { owner: claim.owner }),
    time: new Date(wallMs).toISOString(),
  };
  return new TextEncoder().encode(JSON.stringify(fields));
}

/** Returns what a value says; what is not there, or was not written by this project, is empty. */
export function readClaim(value: Uint8Array, mode: LockMode): Claim & { readonly wallMs: number } {
  const fields = storedFields(value);
  const [permits, owner, time] = ['permits', 'owner', 'time'].map((name) => Reflect.get(fields, name));
  return {
    mode,
    permits: isCount(permits) ? permits : 0,
    owner: storedText(owner),
    wallMs: storedTime(time),
  };
}

/** Returns the mode that a value names. */
export function modeIn(value: Uint8Array): LockMode {
  const mode: unknown = Reflect.get(storedFields(value), 'mode');
  return isLockMode(mode) ? mode : 'mutex';
}

/** Returns a lock as all its keys tell it. */
export function lockState(name: string, kvs: Iterable<KeyValue>): LockState {
  const queue: { readonly kv: KeyValue; readonly mode: LockMode }[] = [];
  const holding = new Map<bigint, KeyValue>();
  for (const kv of kvs) {
    const key = readLockKey(kv.key);
    if (key?.kind === 'queue') queue.push({ kv, mode: key.mode });
    else if (key?.kind === 'holder') holding.set(key.token, kv);
  }
  queue.sort((a, b) => (a.kv.createRevision < b.kv.createRevision ? -1 : 1));

  const holders: Holder[] = [];
  const waiters: Waiter[] = [];
  for (const [position, { kv, mode }] of queue.entries()) {
    const { createRevision: token, leaseId } = kv;
    const held = holding.get(token);
    const { wallMs, ...claim } = readClaim((held ?? kv).value, mode);
    if (held === undefined) waiters.push({ ...claim, position, leaseId, enqueueWallMs: wallMs });
    else holders.push({ ...claim, token, leaseId, acquireWallMs: wallMs });
  }
  return { name, holders, waiters };
}

function isCount(permits: unknown): permits is number {
  return Number.isInteger(permits) && Number(permits) >= 0 && Number(permits) <= MAX_PERMITS;
}
