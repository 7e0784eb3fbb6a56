import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DomainError } from '../../../src/domain/errors.ts';
import type { Operation } from '../../../src/domain/store.ts';
import { nested } from '../../../src/domain/writing/nested-txn.ts';

const LIMIT = 128;
/** What the contract lets one Publish ask for: 1,000 puts and 1,000 deletions, each of three operations. */
const MOST = 6_000;

function puts(count: number): readonly Operation[] {
  return Array.from({ length: count }, (_, i) => ({
    kind: 'put',
    key: Buffer.from(String(i)),
    value: Buffer.of(),
  }));
}

function flat(operations: readonly Operation[]): readonly Operation[] {
  return operations.flatMap((each) => (each.kind === 'txn' ? flat(each.success) : [each]));
}

/** Etcd's own check: checkTxnRequest of server/etcdserver/api/v3rpc/key.go. */
function isTaken(operations: readonly Operation[], compares: number, limit = LIMIT): boolean {
  const longest = Math.max(operations.length, compares);
  return (
    longest <= limit &&
    operations.every(
      (each) => each.kind !== 'txn' || isTaken(each.success, each.compares.length, limit - longest),
    )
  );
}

describe('operations within transactions within a transaction', () => {
  it('are the same, in the same order, and what etcd takes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: MOST }), fc.integer({ min: 0, max: 110 }), (count, compares) => {
        const operations = puts(count);
        const found = nested(operations, compares);
        expect(flat(found)).toEqual(operations);
        expect(isTaken(found, compares)).toBe(true);
      }),
    );
  });

  it('are as they were where etcd takes them so', () => {
    const operations = puts(LIMIT);
    expect(nested(operations, 3)).toBe(operations);
  });

  it(`are ${MOST} at most with few conditions`, () => {
    expect(isTaken(nested(puts(MOST), 4), 4)).toBe(true);
    expect(() => nested(puts(MOST + 1), 4)).toThrow(DomainError);
  });
});
