import { describe, expect, it } from 'vitest';
import type { DomainError } from '../../../src/domain/errors.ts';
import { LeaseEngine, marginMs } from '../../../src/domain/lease/lease-engine.ts';
import { settled } from '../watch/settled.ts';
import { FreezingClock } from './freezing-clock.ts';
import { leaseGone, ScriptedRenewals, storeAway } from './scripted-renewals.ts';

const TTL_SECONDS = 9;
const TTL_MS = 9_000;
const DEADLINE_MS = TTL_MS - 1_000;
const TICK_MS = 10;
/** Where a timer of Node.js can no longer hold the time. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** An engine that keeps one lease, and what becomes of it. */
function keepOne({ random = 1, ttlSeconds = TTL_SECONDS } = {}) {
  const clock = new FreezingClock();
  const renewals = new ScriptedRenewals();
  const engine = new LeaseEngine({ leases: renewals, clock, random: () => random });
  const losses: { readonly cause: string; readonly error: DomainError; readonly atMs: number }[] = [];
  const deadlines: number[] = [];
  const kept = engine.keep(
    { leaseId: 7n, ttlSeconds: BigInt(ttlSeconds), sentMs: clock.now() },
    {
      renewed: ({ deadlineMs }) => void deadlines.push(deadlineMs),
      lost: (error, cause) => void losses.push({ error, cause, atMs: clock.now() }),
    },
  );
  const advance = async (ms: number) => {
    clock.advance(ms);
    await settled();
  };
  /** Lets time pass in small steps, and fails every renewal at once; returns when each was asked for. */
  const failFor = async (ms: number) => {
    const askedMs: number[] = [];
    for (const untilMs = clock.now() + ms; clock.now() < untilMs; await advance(5)) {
      for (const renewal of renewals.asked.slice(askedMs.length)) {
        askedMs.push(clock.now());
        renewal.fail(storeAway());
      }
      await settled();
    }
    return askedMs;
  };
  return { clock, renewals, engine, kept, losses, deadlines, advance, failFor };
}

describe('LeaseEngine', () => {
  it.each([
    ['a third', 1, TTL_MS / 3],
    ['a little less than a third', 0, (TTL_MS / 3) * 0.8],
  ])('renews at %s of the time to live, by chance', async (_, random, renewMs) => {
    const { clock, renewals, deadlines, advance } = keepOne({ random });
    for (let round = 1; round <= 5; round++) {
      const calledMs = clock.now() + renewMs;
      await advance(renewMs - 1);
      expect(renewals.asked).toHaveLength(round - 1);
      await advance(1);
      expect(renewals.asked).toHaveLength(round);
      renewals.last.succeed(TTL_SECONDS);
      await settled();
      expect(deadlines.at(-1)).toBe(calledMs + DEADLINE_MS);
    }
  });

  it('counts from when a renewal was called, not from its answer', async () => {
    const { renewals, deadlines, advance } = keepOne();
    await advance(3_000);
    await advance(2_500);
    renewals.last.succeed(TTL_SECONDS);
    await settled();
    expect(deadlines).toEqual([3_000 + DEADLINE_MS]);
    await advance(500);
    expect(renewals.asked).toHaveLength(2);
  });

  it('takes over the time to live that the store says', async () => {
    const { renewals, deadlines, advance } = keepOne();
    await advance(3_000);
    renewals.last.succeed(3);
    await settled();
    expect(deadlines).toEqual([3_000 + 3_000 - marginMs(3_000)]);
    await advance(1_000);
    expect(renewals.asked).toHaveLength(2);
  });

  it('tries again what failed, at most 1 s later and never after the deadline', async () => {
    const { failFor, losses } = keepOne();
    const askedMs = await failFor(TTL_MS);
    expect(askedMs.length).toBeGreaterThan(8);
    for (const [index, atMs] of askedMs.entries()) {
      expect(atMs - (askedMs[index - 1] ?? 2_000)).toBeLessThanOrEqual(1_000 + 2 * TICK_MS);
      expect(atMs).toBeLessThan(DEADLINE_MS);
    }
    expect(losses).toMatchObject([{ cause: 'late', error: { reason: 'LEASE_NOT_FOUND' } }]);
  });

  it('goes on where a renewal succeeds after many that failed', async () => {
    const { renewals, losses, failFor, advance } = keepOne();
    const failed = await failFor(DEADLINE_MS - 1_500);
    await advance(1_100);
    expect(renewals.asked).toHaveLength(failed.length + 1);
    renewals.last.succeed(TTL_SECONDS);
    await settled();
    await advance(2_000);
    expect(losses).toEqual([]);
  });

  it('says at the deadline that a lease is lost whose renewal hangs, and hears no answer after that', async () => {
    const { renewals, losses, deadlines, advance, engine } = keepOne();
    await advance(DEADLINE_MS - 1);
    expect(losses).toEqual([]);
    await advance(1 + TICK_MS);
    expect(losses).toMatchObject([
      { cause: 'late', error: { reason: 'LEASE_NOT_FOUND', metadata: { lease_id: '7' } } },
    ]);
    renewals.last.succeed(TTL_SECONDS);
    await advance(100_000);
    expect(renewals.asked).toHaveLength(1);
    expect(deadlines).toEqual([]);
    expect(losses).toHaveLength(1);
    expect(engine.stats()).toEqual({ kept: 0, inFlight: 0, lost: 1 });
  });

  it('says at once that a lease is lost which the store has ended', async () => {
    const { renewals, losses, advance } = keepOne();
    await advance(3_000);
    renewals.last.fail(leaseGone(7n));
    await settled();
    expect(losses).toMatchObject([{ cause: 'ended', atMs: 3_000 }]);
    await advance(100_000);
    expect(renewals.asked).toHaveLength(1);
  });

  it('renews nothing that was released, and hears no answer for it', async () => {
    const { engine, kept, renewals, losses, deadlines, advance } = keepOne();
    await advance(3_000);
    engine.release(kept);
    renewals.last.succeed(TTL_SECONDS);
    await advance(100_000);
    engine.release(kept);
    expect([renewals.asked.length, losses, deadlines]).toEqual([1, [], []]);
  });

  it('renews nothing once it is disposed', async () => {
    const { engine, renewals, losses, advance } = keepOne();
    await advance(3_000);
    engine[Symbol.dispose]();
    await advance(100_000);
    expect([renewals.asked.length, losses]).toEqual([1, []]);
  });

  it('says that a lease is lost, and does not renew it, in a process that stood still past its deadline', async () => {
    const { clock, renewals, losses, advance } = keepOne();
    clock.freeze(DEADLINE_MS);
    clock.thaw();
    expect(losses).toMatchObject([{ cause: 'late', atMs: DEADLINE_MS }]);
    await advance(100_000);
    expect(renewals.asked).toEqual([]);
  });

  it('does so also where an answer waited for that process: it tells no more than it did then', async () => {
    const { clock, renewals, losses, deadlines, advance } = keepOne();
    await advance(3_000);
    clock.freeze(DEADLINE_MS + 1);
    renewals.last.succeed(TTL_SECONDS);
    await settled();
    clock.thaw();
    await advance(TICK_MS);
    expect(Math.max(...deadlines)).toBeLessThanOrEqual(3_000 + DEADLINE_MS);
    expect(losses).toMatchObject([{ cause: 'late' }]);
    expect(renewals.asked).toHaveLength(1);
  });

  it('renews a lease whose process stood still, but not past its deadline', async () => {
    const { clock, renewals, losses } = keepOne();
    clock.freeze(DEADLINE_MS - 1);
    clock.thaw();
    expect([renewals.asked.length, losses]).toEqual([1, []]);
  });

  it('keeps any number of leases with one timer, and has no more than 128 renewals under way', async () => {
    const { clock, engine, renewals, advance } = keepOne();
    for (let id = 1; id <= 5_000; id++) {
      const sentMs = clock.now();
      engine.keep({ leaseId: BigInt(id), ttlSeconds: BigInt(1 + (id % 60)), sentMs }, { lost: () => {} });
    }
    for (let ms = 0; ms < 3_000; ms += 100) {
      expect(clock.pendingTimers).toBe(1);
      await advance(100);
    }
    expect(renewals.asked).toHaveLength(128);
  });

  it('loses no lease of 3 s behind thousands of long ones, though the store takes 4 ms for each', async () => {
    const { clock, engine, renewals, losses, advance } = keepOne({ ttlSeconds: 3 });
    for (let id = 100n; id < 5_100n; id++)
      engine.keep({ leaseId: id, ttlSeconds: 60n, sentMs: 0, renewAtMs: 500 }, { lost: () => {} });
    let answered = 0;
    while (clock.now() < 10_000) {
      await advance(4);
      const renewal = renewals.asked[answered];
      if (renewal === undefined) continue;
      answered += 1;
      renewal.succeed(renewal.leaseId === 7n ? 3 : 60);
      await settled();
    }
    expect(answered).toBeGreaterThan(2_000);
    expect(losses).toEqual([]);
  });

  it('sets no timer that is too long for Node.js, however long a lease lives', async () => {
    const { clock, renewals, advance } = keepOne({ ttlSeconds: 9_000_000_000 });
    expect(clock.longestMs).toBeLessThan(MAX_TIMER_MS);
    await advance(100 * 86_400_000);
    expect(renewals.asked).toEqual([]);
    expect(clock.pendingTimers).toBe(1);
  });

  it('is told by random chance when to renew, and spreads leases that were granted together', async () => {
    const clock = new FreezingClock();
    const renewals = new ScriptedRenewals();
    let chance = 0;
    const random = () => {
      chance += 0.01;
      return chance % 1;
    };
    const engine = new LeaseEngine({ leases: renewals, clock, random });
    for (let id = 1n; id <= 100n; id++) {
      engine.keep({ leaseId: id, ttlSeconds: 30n, sentMs: 0 }, { lost: () => {} });
    }
    clock.advance(9_000);
    expect(renewals.asked.length).toBeGreaterThan(40);
    expect(renewals.asked.length).toBeLessThan(60);
  });
});
