import { describe, expect, it } from 'vitest';
import { runFencedCounter } from './run-fenced-counter.ts';

describe('counters that are raised under locks by many clients', () => {
  it('lose nothing while members, connections and gateways go wrong', async () => {
    const outcome = await runFencedCounter({ acquisitions: 2_000, faultEveryMs: 3_000 });
    expect(outcome.faults).toEqual([]);
    expect(outcome.acknowledged).toBeGreaterThanOrEqual(2_000);
    expect(outcome.acquisitions).toBeGreaterThanOrEqual(outcome.acknowledged);
    expect(outcome.harms).toBeGreaterThanOrEqual(5);
  }, 1_200_000);
});
