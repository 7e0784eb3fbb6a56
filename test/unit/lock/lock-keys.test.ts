import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lockHolderKey } from '../../../src/domain/fence.ts';
import { contains } from '../../../src/domain/key-range.ts';
import {
  type LockMode,
  lockRange,
  locksRange,
  queueKey,
  queueRange,
  readLockKey,
  releasedKey,
} from '../../../src/domain/lock/lock-keys.ts';

const MODES: readonly LockMode[] = ['mutex', 'read', 'write', 'semaphore'];

/** Names as the rpcs take them, many of which look like parts of keys. */
const names = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }),
  fc
    .array(fc.constantFrom('/', '%', '2F', '%2F', '25', 'queue', 'holder', 'mutex', 'a', '0'.repeat(19)), {
      minLength: 1,
      maxLength: 6,
    })
    .map((parts) => parts.join('')),
);
const numbers = fc.bigInt({ min: 1n, max: 2n ** 63n - 1n });

describe('the keys of a lock', () => {
  it('say what they were made for', () => {
    fc.assert(
      fc.property(names, fc.constantFrom(...MODES), numbers, (name, mode, number) => {
        expect(readLockKey(queueKey(name, mode, number))).toEqual({
          kind: 'queue',
          name,
          mode,
          leaseId: number,
        });
        expect(readLockKey(lockHolderKey(name, number))).toEqual({ kind: 'holder', name, token: number });
        expect(readLockKey(releasedKey(name, number).key)).toBeUndefined();
      }),
    );
  });

  it('lie in the range of their lock, and in that of no other', () => {
    fc.assert(
      fc.property(names, names, fc.constantFrom(...MODES), numbers, (name, other, mode, number) => {
        const [place, holder] = [queueKey(name, mode, number), lockHolderKey(name, number)];
        expect([place, holder].map((key) => contains(lockRange(other), key))).toEqual([
          name === other,
          name === other,
        ]);
        expect([place, holder].map((key) => contains(queueRange(other), key))).toEqual([
          name === other,
          false,
        ]);
        expect(contains(locksRange(''), releasedKey(name, number).key)).toBe(false);
      }),
    );
  });

  it('lie in the range of a prefix where the name of their lock begins with it, and only then', () => {
    fc.assert(
      fc.property(names, names, numbers, (name, prefix, number) => {
        for (const [whole, start] of [
          [name, prefix],
          [prefix + name, prefix],
        ] as const) {
          expect(contains(locksRange(start), lockHolderKey(whole, number))).toBe(whole.startsWith(start));
        }
      }),
    );
  });

  it('sort as the numbers do', () => {
    fc.assert(
      fc.property(names, numbers, numbers, (name, a, b) => {
        const [left, right] = [lockHolderKey(name, a), lockHolderKey(name, b)];
        expect(Math.sign(Buffer.compare(left, right))).toBe(a < b ? -1 : a > b ? 1 : 0);
      }),
    );
  });
});
