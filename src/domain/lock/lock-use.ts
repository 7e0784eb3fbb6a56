// Which claims on a lock go together: at once, one after the other, or not at all.

import { DomainError } from '../errors.ts';
import type { KeyValue } from '../store.ts';
import { readLockKey } from './lock-keys.ts';
import { type Claim, readClaim } from './lock-state.ts';

/** Returns the keys of those who must leave before one with this claim may hold the lock. `ahead`: of all who came before. */
export function blockers({ mode }: Claim, ahead: readonly KeyValue[]): readonly KeyValue[] {
  if (mode !== 'read') return ahead;
  return ahead.filter(({ key }) => {
    const read = readLockKey(key);
    return read?.kind === 'queue' && read.mode === 'write';
  });
}

/** Returns how many of those may stay. */
export function toleratedBy({ mode, permits }: Claim): number {
  return mode === 'semaphore' ? permits - 1 : 0;
}

/** Returns whether one with this claim must wait. */
export function isInTheWay(claim: Claim, ahead: readonly KeyValue[]): boolean {
  return blockers(claim, ahead).length > toleratedBy(claim);
}

/**
 * Returns the LOCK_MODE_MISMATCH error of a claim on a lock that is in use in another way. The first in the queue decides how it is
 * used.
 */
export function useMismatch(
  name: string,
  claim: Claim,
  eldest: KeyValue | undefined,
): DomainError | undefined {
  const key = eldest && readLockKey(eldest.key);
  if (eldest === undefined || key?.kind !== 'queue') return undefined;
  const { mode, permits } = readClaim(eldest.value, key.mode);
  if (useOf({ mode, permits }) === useOf(claim)) return undefined;
  const use = mode === 'semaphore' ? `a semaphore with ${permits} permits` : `a lock in mode ${mode}`;
  return new DomainError(
    'LOCK_MODE_MISMATCH',
    `"${name}" is in use as ${use}; use it so, or take another name`,
    { lock: name, mode, ...(mode === 'semaphore' && { permits: String(permits) }) },
  );
}

function useOf({ mode, permits }: Pick<Claim, 'mode' | 'permits'>): string {
  if (mode === 'semaphore') return `semaphore ${permits}`;
  return mode === 'mutex' ? 'mutex' : 'read and write';
}
