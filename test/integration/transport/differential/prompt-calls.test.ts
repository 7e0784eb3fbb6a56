import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PROMPT_METHODS, startBothWays } from './both-ways.ts';
import { randomCalls } from './random-calls.ts';

const CALLS = Number(process.env['CONCORD_TEST_CALLS'] ?? 5_000);
const SHOWN_DIFFERENCES = 5;
const TIMEOUT_MS = 600_000;

describe('calls past the library', () => {
  it(`are answered as by it: ${CALLS} at random`, { timeout: TIMEOUT_MS }, async () => {
    await using both = await startBothWays();
    const seed = Date.now() % 2 ** 31;
    const differences: string[] = [];
    for (const call of fc.sample(randomCalls(PROMPT_METHODS), { numRuns: CALLS, seed })) {
      const difference = await both.difference(call);
      if (difference !== undefined) differences.push(difference);
    }
    expect(
      differences.slice(0, SHOWN_DIFFERENCES),
      `${differences.length} of ${CALLS} with the seed ${seed}`,
    ).toEqual([]);
    await both.check();
  });
});
