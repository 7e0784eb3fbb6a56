import { describe, it } from 'vitest';
import { startBothWays } from '../../../support/differential/both-ways.ts';
import { cutOffCalls } from '../../../support/differential/cut-off-calls.ts';

const CALLS = 1_000;
const TIMEOUT_MS = 300_000;

describe('a call that is cut off', () => {
  it(`leaves nothing open, past the library and by it: ${CALLS} at random`, {
    timeout: TIMEOUT_MS,
  }, async () => {
    await using both = await startBothWays();
    await cutOffCalls(both, { calls: CALLS });
    await both.check();
  });
});
