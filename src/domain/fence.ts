// The compare that lets a write through only while its lock or leadership holds.
//
// Each holder of a lock has a key that is named by its token and exists while it holds the lock. Who leads an election stands in
// one key, whose create revision is the token. Tokens grow from holder to holder, and a transaction that compares such a key
// cannot write once the holder is gone.

import { createdAt, isSomeKeyIn } from './conditions.ts';
import { DomainError } from './errors.ts';
import { singleKey } from './key-range.ts';
import { nameSegment, numberSegment } from './name-segment.ts';
import type { Compare, KeyValue, ReadOperation } from './store.ts';

/** What a write depends on: the holder of `name` must still be the one that was given `token`. */
export interface Fence {
  readonly kind: 'lock' | 'election';
  readonly name: string;
  readonly token: bigint;
}

const encoder = new TextEncoder();

/** Returns what the keys of a lock begin with. */
export function lockPrefix(name: string): string {
  return `/concord/lock/${nameSegment(name)}/`;
}

/** Returns what the keys of an election begin with. */
export function electionPrefix(name: string): string {
  return `/concord/election/${nameSegment(name)}/`;
}

/** Returns the key that exists while a token holds a lock. */
export function lockHolderKey(name: string, token: bigint): Uint8Array {
  return encoder.encode(`${lockPrefix(name)}holder/${numberSegment(token)}`);
}

/** Returns the key of an election's leader. */
export function leaderKey(name: string): Uint8Array {
  return encoder.encode(`${electionPrefix(name)}leader`);
}

/** Returns the condition under which a fenced write happens. */
export function fenceCompare(fence: Fence): Compare {
  const key = fenceKey(fence);
  return fence.kind === 'lock' ? isSomeKeyIn(singleKey(key)) : createdAt(key, fence.token);
}

/** Returns the read that tells, when a transaction's compares failed, whether the fence was among them. */
export function fenceRead(fence: Fence): ReadOperation {
  return { kind: 'read', range: singleKey(fenceKey(fence)), view: 'keys' };
}

/** Returns whether a fence holds by what its read found. */
export function isFenceMet({ kind, token }: Fence, found: KeyValue | undefined): boolean {
  return kind === 'lock' ? found !== undefined : found?.createRevision === token;
}

/** Returns the FENCE_LOST error of a write that its fence kept out. */
export function fenceLost({ kind, name, token }: Fence): DomainError {
  return new DomainError(
    'FENCE_LOST',
    `Token ${token} no longer holds the ${kind} "${name}"; nothing was written. Acquire it again`,
    { [kind]: name, token: String(token) },
  );
}

function fenceKey({ kind, name, token }: Fence): Uint8Array {
  return kind === 'lock' ? lockHolderKey(name, token) : leaderKey(name);
}
