// The clock of this process, as the domain wants it.

import type { Clock } from './domain/clock.ts';

/** Monotonic; its timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallMs: () => Date.now(),
  soon: setImmediate,
  after(ms, run) {
    const timer = setTimeout(run, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
