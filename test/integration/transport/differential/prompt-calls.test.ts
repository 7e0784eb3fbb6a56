import { describe, it } from 'vitest';
import { PROMPT_METHODS, startBothWays } from '../../../support/differential/both-ways.ts';
import { compareCalls } from '../../../support/differential/compare-calls.ts';

const CALLS = Number(process.env['N'] ?? 2_000);
const TIMEOUT_MS = 600_000;

describe('calls past the library', () => {
  it(`are answered as by it: ${CALLS} at random`, { timeout: TIMEOUT_MS }, async () => {
    await using both = await startBothWays();
    await compareCalls(both, { methods: PROMPT_METHODS, calls: CALLS });
    await both.check();
  });
});
