import { isDeepStrictEqual } from 'node:util';
import { describe, it } from 'vitest';
import { PROMPT_METHODS, startBothWays, WAITING_METHODS } from '../../../support/differential/both-ways.ts';
import { compareCalls } from '../../../support/differential/compare-calls.ts';
import type { ReadAnswer } from '../../../support/differential/read-answer.ts';

const WAITING_CALLS = 600;
const OVERDUE_CALLS = 300;
const AT_ONCE = 20;
const TIMEOUT_MS = 600_000;

describe('calls past the library', { timeout: TIMEOUT_MS }, () => {
  it(`that stream or wait begin and end as by it: ${WAITING_CALLS} at random`, async () => {
    await using both = await startBothWays();
    await compareCalls(both, {
      methods: WAITING_METHODS,
      calls: WAITING_CALLS,
      headers: { 'connect-timeout-ms': '300', 'grpc-timeout': '300m' },
      atOnce: AT_ONCE,
      isSame: (direct, byLibrary) => isDeepStrictEqual(outline(direct), outline(byLibrary)),
    });
    await both.check();
  });

  it.each(['0m', '1u', '1n'])(
    `that are overdue when they come fail as by it: ${OVERDUE_CALLS} at random, %s`,
    async (timeout) => {
      await using both = await startBothWays();
      await compareCalls(both, {
        methods: [...PROMPT_METHODS, ...WAITING_METHODS],
        calls: OVERDUE_CALLS,
        headers: { 'connect-timeout-ms': '0', 'grpc-timeout': timeout },
        isSame: isSameOrOverdue,
      });
      await both.check();
    },
  );
});

/** What others do meanwhile shows in the messages of a stream: how many there are, and what is in them. */
function outline({ messages, ...answer }: ReadAnswer) {
  return { ...answer, hasMessages: messages.length > 0 };
}

/**
 * By the library a call of a nanosecond may have been served before that has passed, and one whose compression nobody knows fails of
 * that first.
 */
function isSameOrOverdue(direct: ReadAnswer, byLibrary: ReadAnswer): boolean {
  if (isDeepStrictEqual(outline(direct), outline(byLibrary))) return true;
  return direct.error?.reason === 'DEADLINE_EXCEEDED';
}
