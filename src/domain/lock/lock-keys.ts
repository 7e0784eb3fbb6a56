// The keys of locks, below `/concord/lock/<name>/`:
//
// - `queue/<mode>/<lease>` stands for one who waits for the lock or holds it, from when it came until it goes. Its create revision is
//   its place in the queue, and its fencing token.
// - `holder/<token>` exists while that token holds the lock. Fences compare it.
//
// And `/concord/released/lock/<name>/<token>` remembers a release for a minute or two.

import { lockPrefix } from '../fence.ts';
import { type KeyRange, type KeySpan, prefixRange } from '../key-range.ts';
import { nameSegment, numberSegment, segmentName, segmentNumber } from '../name-segment.ts';

/** How a lock is held. */
export type LockMode = 'mutex' | 'read' | 'write' | 'semaphore';

/** What a key says. */
export type LockKey =
  | { readonly kind: 'queue'; readonly name: string; readonly mode: LockMode; readonly leaseId: bigint }
  | { readonly kind: 'holder'; readonly name: string; readonly token: bigint };

const LOCKS = '/concord/lock/';
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Returns all keys of one lock. */
export function lockRange(name: string): KeySpan {
  return prefixRange(encoder.encode(lockPrefix(name)));
}

/** Returns all keys of all locks whose names begin with `prefix`. */
export function locksRange(prefix: string): KeySpan {
  return prefixRange(encoder.encode(LOCKS + nameSegment(prefix)));
}

/** Returns the keys of all who hold a lock or wait for it. */
export function queueRange(name: string): KeySpan {
  return prefixRange(encoder.encode(`${lockPrefix(name)}queue/`));
}

/** Returns the key of one in the queue. */
export function queueKey(name: string, mode: LockMode, leaseId: bigint): Uint8Array {
  return encoder.encode(`${lockPrefix(name)}queue/${mode}/${numberSegment(leaseId)}`);
}

/** Returns the key that remembers a release. */
export function releasedKey(name: string, token: bigint): KeyRange & { readonly kind: 'key' } {
  const key = encoder.encode(`/concord/released/lock/${nameSegment(name)}/${numberSegment(token)}`);
  return { kind: 'key', key };
}

/** Returns what a key stands for, or undefined where it is no lock's. */
export function readLockKey(key: Uint8Array): LockKey | undefined {
  const text = decoder.decode(key);
  const [segment = '', kind, ...rest] = text.slice(LOCKS.length).split('/');
  const name = segmentName(segment);
  const number = segmentNumber(rest.at(-1) ?? '');
  if (!text.startsWith(LOCKS) || number === undefined) return undefined;
  if (kind === 'holder' && rest.length === 1) return { kind, name, token: number };
  const [mode] = rest;
  if (kind !== 'queue' || rest.length !== 2 || !isLockMode(mode)) return undefined;
  return { kind, name, mode, leaseId: number };
}

/** Returns whether a value names a mode. */
export function isLockMode(value: unknown): value is LockMode {
  return value === 'mutex' || value === 'read' || value === 'write' || value === 'semaphore';
}
