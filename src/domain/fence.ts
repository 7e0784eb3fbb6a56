// The compare that lets a write through only while its lock or leadership holds.
//
// Who holds a lock or leads an election stands in one key for each name, which is created when the holder gets it and deleted
// when it ends. The key's create revision is the fencing token: it grows from holder to holder, and a transaction that compares
// it cannot write once the key is gone or another's.

import { DomainError } from './errors.ts';
import { singleKey } from './key-range.ts';
import type { Compare, ReadOperation } from './store.ts';

/** What a write depends on: the holder of `name` must still be the one that was given `token`. */
export interface Fence {
  readonly kind: 'lock' | 'election';
  readonly name: string;
  readonly token: bigint;
}

const HOLDER_PREFIX = { lock: '/concord/lock/holder/', election: '/concord/election/leader/' } as const;

/** Returns the key that exists while somebody holds the lock or leads the election. */
export function holderKey({ kind, name }: Pick<Fence, 'kind' | 'name'>): Uint8Array {
  return new TextEncoder().encode(HOLDER_PREFIX[kind] + name);
}

/** Returns the condition under which a fenced write happens. */
export function fenceCompare(fence: Fence): Compare {
  return {
    range: singleKey(holderKey(fence)),
    comparison: 'equal',
    target: { kind: 'createRevision', number: fence.token },
  };
}

/** Returns the read that tells, when a transaction's compares failed, whether the fence was among them. */
export function fenceRead(fence: Fence): ReadOperation {
  return { kind: 'read', range: singleKey(holderKey(fence)), view: 'keys' };
}

/** Returns the FENCE_LOST error of a write that its fence kept out. */
export function fenceLost({ kind, name, token }: Fence): DomainError {
  return new DomainError(
    'FENCE_LOST',
    `Token ${token} no longer holds the ${kind} "${name}"; nothing was written. Acquire it again`,
    { [kind]: name, token: String(token) },
  );
}
