import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runSchedule } from './run-schedule.ts';
import { schedules } from './schedule.ts';

describe('watch', () => {
  it('tells every follower all that its view shows, once, whole and in order, whatever goes wrong', async () => {
    await fc.assert(
      fc.asyncProperty(schedules(80), async (schedule) => {
        await runSchedule(schedule);
      }),
      { numRuns: 1_000 },
    );
    expect.hasAssertions();
  });
});
