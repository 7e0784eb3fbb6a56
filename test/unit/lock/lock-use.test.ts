import { describe, expect, it } from 'vitest';
import { type LockMode, queueKey } from '../../../src/domain/lock/lock-keys.ts';
import { type Claim, claimValue } from '../../../src/domain/lock/lock-state.ts';
import { blockers, isInTheWay, toleratedBy, useMismatch } from '../../../src/domain/lock/lock-use.ts';
import type { KeyValue } from '../../../src/domain/store.ts';

const NAME = 'a lock';
const claimOf = (mode: LockMode, permits = 0): Claim => ({ mode, permits, owner: '' });

function placesOf(...claims: readonly Claim[]): readonly KeyValue[] {
  return claims.map((claim, i) => {
    const revision = BigInt(i + 1);
    const key = queueKey(NAME, claim.mode, revision);
    return {
      key,
      value: claimValue(claim, 0),
      createRevision: revision,
      modRevision: revision,
      version: 1n,
      leaseId: revision,
    };
  });
}

const [mutex, read, write] = [claimOf('mutex'), claimOf('read'), claimOf('write')];

describe('a claim on a lock', () => {
  it.each([
    ['mutex', mutex, [], false],
    ['mutex', mutex, [mutex], true],
    ['read', read, [read, read], false],
    ['read', read, [read, write], true],
    ['read', read, [write, read], true],
    ['write', write, [], false],
    ['write', write, [read], true],
    ['write', write, [write], true],
    ['semaphore of 1', claimOf('semaphore', 1), [claimOf('semaphore', 1)], true],
    ['semaphore of 3', claimOf('semaphore', 3), [1, 2].map(() => claimOf('semaphore', 3)), false],
    ['semaphore of 3', claimOf('semaphore', 3), [1, 2, 3].map(() => claimOf('semaphore', 3)), true],
  ] as const)('for %s %# waits for those before it where it must', (_, claim, ahead, mustWait) => {
    expect(isInTheWay(claim, placesOf(...ahead))).toBe(mustWait);
  });

  it('to read waits for those that write alone', () => {
    const places = placesOf(read, write, read, write);
    expect(blockers(read, places)).toEqual([places[1], places[3]]);
    expect(blockers(write, places)).toEqual(places);
    expect(toleratedBy(read)).toBe(0);
  });

  it.each([
    [mutex, mutex, true],
    [read, write, true],
    [write, read, true],
    [mutex, read, false],
    [write, mutex, false],
    [claimOf('semaphore', 2), claimOf('semaphore', 2), true],
    [claimOf('semaphore', 2), claimOf('semaphore', 3), false],
    [claimOf('semaphore', 1), mutex, false],
  ])('goes with the use of the first in the queue, or not: %o, %o', (claim, first, goes) => {
    const mismatch = useMismatch(NAME, claim, placesOf(first)[0]);
    expect(mismatch?.reason).toBe(goes ? undefined : 'LOCK_MODE_MISMATCH');
    expect(useMismatch(NAME, claim, undefined)).toBeUndefined();
  });
});
