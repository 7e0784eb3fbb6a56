import { create, toBinary, toJsonString } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LockSchema } from '../../../gen/concord/lock/v1/lock_pb.ts';
import { lockHolderKey } from '../../../src/domain/fence.ts';
import { type LockMode, queueKey } from '../../../src/domain/lock/lock-keys.ts';
import { claimValue, lockState, modeIn, readClaim } from '../../../src/domain/lock/lock-state.ts';
import type { KeyValue } from '../../../src/domain/store.ts';
import { lockMessage } from '../../../src/rpc/lock/lock-messages.ts';

const NAME = 'a lock';
const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

function kvOf(key: Uint8Array, value: Uint8Array, revision: bigint, leaseId = revision): KeyValue {
  return { key, value, createRevision: revision, modRevision: revision, version: 1n, leaseId };
}

/** One in the queue of {@link NAME}, with the token that it would hold with. */
function placeOf(token: bigint, mode: LockMode = 'mutex', value = encode({ mode })): KeyValue {
  return kvOf(queueKey(NAME, mode, token + 1_000n), value, token);
}

const holderOf = (token: bigint, value = encode({ mode: 'mutex' })) =>
  kvOf(lockHolderKey(NAME, token), value, token + 1n);

describe('the state of a lock', () => {
  it('has its holders and waiters in the order in which they came, whatever that of their keys', () => {
    const kvs = [placeOf(9n), placeOf(3n), placeOf(5n), placeOf(12n), holderOf(3n), holderOf(5n)];
    fc.assert(
      fc.property(fc.shuffledSubarray(kvs, { minLength: kvs.length }), (shuffled) => {
        const { holders, waiters } = lockState(NAME, shuffled);
        expect(holders.map(({ token }) => token)).toEqual([3n, 5n]);
        expect(waiters.map(({ position }) => position)).toEqual([2, 3]);
      }),
    );
  });

  it('leaves out keys that are no lock’s, and a holder without its place', () => {
    const foreign = ['/concord/lock/a lock/', '/concord/lock/a lock/queue/mutex/1', 'a'].map((key) =>
      kvOf(new TextEncoder().encode(key), encode({}), 1n),
    );
    expect(lockState(NAME, [...foreign, holderOf(7n), placeOf(8n)])).toMatchObject({
      holders: [],
      waiters: [{ position: 0 }],
    });
  });

  it('can be told whatever another etcd client wrote into its keys', () => {
    const values = fc.oneof(
      fc.uint8Array(),
      fc.json().map((json) => new TextEncoder().encode(json)),
      fc
        .record(
          {
            mode: fc.jsonValue(),
            permits: fc.oneof(fc.double(), fc.integer(), fc.jsonValue()),
            owner: fc.oneof(fc.string({ unit: 'binary' }), fc.jsonValue()),
            time: fc.oneof(
              fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
              fc.constantFrom('+275760-09-13T00:00:00.000Z', '-000001-01-01T00:00:00Z', '12', 'tomorrow'),
              fc.jsonValue(),
            ),
          },
          { requiredKeys: [] },
        )
        .map(encode),
    );
    fc.assert(
      fc.property(values, values, (held, waiting) => {
        const state = lockState(NAME, [placeOf(3n), holderOf(3n, held), placeOf(4n, 'read', waiting)]);
        const message = create(LockSchema, lockMessage(state));
        expect(toBinary(LockSchema, message).length).toBeGreaterThan(0);
        expect(toJsonString(LockSchema, message)).toContain(NAME);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('a claim', () => {
  it('is read as it was written', () => {
    const claims = fc.record({
      mode: fc.constantFrom<LockMode>('mutex', 'read', 'write', 'semaphore'),
      permits: fc.integer({ min: 0, max: 10_000 }),
      owner: fc.string({ unit: 'grapheme' }),
    });
    fc.assert(
      fc.property(claims, fc.integer({ min: 0, max: 2 ** 45 }), (claim, wallMs) => {
        const value = claimValue(claim, wallMs);
        expect(readClaim(value, claim.mode)).toEqual({ ...claim, wallMs });
        expect(modeIn(value)).toBe(claim.mode);
      }),
    );
  });
});
