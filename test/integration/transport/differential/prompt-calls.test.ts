import { describe, it } from 'vitest';
import { startBothWays } from '../../../support/differential/both-ways.ts';
import { compareCalls } from '../../../support/differential/compare-calls.ts';
import { PROMPT_CALLS } from '../../../support/differential/kinds-of-calls.ts';

/** `npm run test:soak` compares more. */
const CALLS = 1_500;
const TIMEOUT_MS = 600_000;

describe('calls past the library', () => {
  it(`are answered as by it: ${CALLS} at random`, { timeout: TIMEOUT_MS }, async () => {
    await using both = await startBothWays();
    await compareCalls(both, { ...PROMPT_CALLS, calls: CALLS });
    await both.check();
  });
});
