import { describe, expect, it } from 'vitest';
import { runFencedTerms } from './run-fenced-terms.ts';

const WRITES = 600;

describe('terms of candidates that lead in turn and write', () => {
  it('never overlap while members, connections and gateways go wrong', async () => {
    const outcome = await runFencedTerms({ writes: WRITES });
    expect(outcome.faults).toEqual([]);
    expect(outcome.acknowledged).toBeGreaterThanOrEqual(WRITES);
    expect(outcome.terms).toBeGreaterThan(50);
    // One that harmed nothing, or where nobody noticed, says little.
    expect(outcome.harms).toBeGreaterThanOrEqual(5);
    expect(outcome.unknown + outcome.fencedOff).toBeGreaterThan(0);
  }, 1_200_000);
});
