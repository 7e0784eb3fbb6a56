import { describe, it } from 'vitest';
import { startBothWays } from '../../../support/differential/both-ways.ts';
import { compareCalls } from '../../../support/differential/compare-calls.ts';
import { overdueCalls, PAST_TIMEOUTS, WAITING_CALLS } from '../../../support/differential/kinds-of-calls.ts';

const CALLS = 600;
const OVERDUE = 300;
const TIMEOUT_MS = 600_000;

describe('calls past the library', { timeout: TIMEOUT_MS }, () => {
  it(`that stream or wait begin and end as by it: ${CALLS} at random`, async () => {
    await using both = await startBothWays();
    await compareCalls(both, { ...WAITING_CALLS, calls: CALLS });
    await both.check();
  });

  it.each(PAST_TIMEOUTS)(
    `that are overdue when they come fail as by it: ${OVERDUE} at random, %s`,
    async (timeout) => {
      await using both = await startBothWays();
      await compareCalls(both, { ...overdueCalls(timeout), calls: OVERDUE });
      await both.check();
    },
  );
});
