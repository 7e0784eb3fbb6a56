import fc from 'fast-check';
import { describe, it } from 'vitest';
import { runSchedule } from './run-schedule.ts';
import { schedules } from './schedule.ts';

/** Many times what it takes on a machine that does nothing else. */
const TIMEOUT_MS = 120_000;

async function holds(options: Parameters<typeof schedules>[0], numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(schedules(options), async (schedule) => {
      await runSchedule(schedule);
    }),
    { numRuns },
  );
}

describe('watch', () => {
  it(
    'tells every follower all that its view shows, once, whole and in order, whatever goes wrong',
    async () => {
      await holds({ maxSteps: 80, isLarge: false }, 2_000);
    },
    TIMEOUT_MS,
  );

  it(
    'does so where channels for laggards are full, paused and resumed',
    async () => {
      await holds({ maxSteps: 60, isLarge: true }, 500);
    },
    TIMEOUT_MS,
  );
});
