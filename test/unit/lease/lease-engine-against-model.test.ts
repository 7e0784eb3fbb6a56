import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type KeptLease, LeaseEngine } from '../../../src/domain/lease/lease-engine.ts';
import { settled } from '../watch/settled.ts';
import { FreezingClock } from './freezing-clock.ts';
import { ModelledStore, type RenewalFate } from './modelled-store.ts';

/** Many times what it takes on a machine that does nothing else. */
const TIMEOUT_MS = 120_000;
const TICK_MS = 10;
const LEASES = 3;

/** What happens next. */
type Step =
  | { readonly kind: 'advance' | 'freeze'; readonly ms: number }
  | { readonly kind: 'release'; readonly lease: number };

interface Schedule {
  readonly ttlSeconds: number;
  /** How long the grants take to the store, and their answers from there. */
  readonly grantMs: number;
  readonly fates: readonly RenewalFate[];
  readonly steps: readonly Step[];
}

const latency = fc.oneof(fc.nat(20), fc.nat(4_000));
const fate: fc.Arbitrary<RenewalFate> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ reachMs: latency, answerMs: latency, isFailed: fc.constant(false) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      reachMs: fc.option(latency, { nil: undefined }),
      answerMs: fc.option(latency, { nil: undefined }),
      isFailed: fc.boolean(),
    }),
  },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 30,
    arbitrary: fc.record({ kind: fc.constant('advance'), ms: fc.integer({ min: 1, max: 300 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('freeze'), ms: fc.nat(8_000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('release'), lease: fc.nat(LEASES - 1) }) },
);
const schedules: fc.Arbitrary<Schedule> = fc.record({
  ttlSeconds: fc.integer({ min: 1, max: 12 }),
  grantMs: fc.nat(500),
  fates: fc.array(fate, { minLength: 1, maxLength: 20 }),
  steps: fc.array(step, { minLength: 20, maxLength: 150 }),
});

/** A lease and what its keeper was told. */
interface Watched {
  readonly leaseId: bigint;
  readonly kept: KeptLease;
  isReleased: boolean;
  lostAtMs: number | undefined;
  renewalsWhenOver: number | undefined;
}

/** Runs a schedule, and holds the engine against the store at every moment. */
async function run({ ttlSeconds, grantMs, fates, steps }: Schedule): Promise<void> {
  const clock = new FreezingClock();
  const store = new ModelledStore(clock, ttlSeconds * 1_000, fates);
  const engine = new LeaseEngine({ leases: store, clock, random: Math.random });
  const countOf = (id: bigint) => store.asked.filter(({ leaseId }) => leaseId === id).length;
  const watched: Watched[] = [];
  const sentMs = clock.now();
  clock.advance(grantMs);
  for (let id = 1n; id <= LEASES; id++) store.grant(id);
  clock.advance(grantMs);
  for (let id = 1n; id <= LEASES; id++) {
    const kept = engine.keep(
      { leaseId: id, ttlSeconds: BigInt(ttlSeconds), sentMs },
      {
        lost() {
          expect(lease.lostAtMs).toBeUndefined();
          expect(lease.isReleased).toBe(false);
          lease.lostAtMs = clock.now();
          lease.renewalsWhenOver = countOf(id);
        },
      },
    );
    const lease: Watched = {
      leaseId: id,
      kept,
      isReleased: false,
      lostAtMs: undefined,
      renewalsWhenOver: undefined,
    };
    watched.push(lease);
  }
  clock.advance(TICK_MS);
  await settled();

  /** @param isAwake whether timers had their turn */
  function check(isAwake: boolean): void {
    for (const { leaseId, kept, renewalsWhenOver } of watched) {
      if (renewalsWhenOver !== undefined) {
        expect(countOf(leaseId), 'renewals after the end').toBe(renewalsWhenOver);
        continue;
      }
      expect(kept.deadlineMs, 'the deadline').toBeLessThanOrEqual(store.expireMs(leaseId));
      if (isAwake) {
        expect(clock.now(), 'now').toBeLessThanOrEqual(kept.deadlineMs + TICK_MS);
        expect(clock.now(), 'now').toBeLessThanOrEqual(store.expireMs(leaseId));
      }
    }
  }

  for (const each of steps) {
    if (each.kind === 'release') {
      const lease = watched[each.lease];
      if (lease === undefined || lease.renewalsWhenOver !== undefined) continue;
      engine.release(lease.kept);
      lease.isReleased = true;
      lease.renewalsWhenOver = countOf(lease.leaseId);
    } else if (each.kind === 'freeze') {
      clock.freeze(each.ms);
      check(false);
      clock.thaw();
      await settled();
      clock.advance(TICK_MS);
      await settled();
    } else {
      for (let passed = 0; passed < each.ms; passed += TICK_MS) {
        clock.advance(Math.min(TICK_MS, each.ms - passed));
        await settled();
        check(true);
      }
    }
    check(true);
  }
}

describe('a holder', () => {
  it(
    'never believes in a lease longer than the store does, whatever becomes of renewals and answers',
    async () => {
      await fc.assert(fc.asyncProperty(schedules, run), { numRuns: 300 });
    },
    TIMEOUT_MS,
  );
});
