import { runFencedCounter } from '../integration/lock/run-fenced-counter.ts';

/** Members are stopped for 3 s: with faults any closer a cluster of three would have no majority for most of the time. */
const FAULT_EVERY_MS = 4_000;

/** Runs the fenced counters, and gives what is to be said of it. */
export async function soakLocks(
  acquisitions: number,
  etcdBinary: string | undefined,
  signal: AbortSignal,
): Promise<{ readonly isFine: boolean; readonly lines: readonly string[] }> {
  const outcome = await runFencedCounter({ acquisitions, faultEveryMs: FAULT_EVERY_MS, etcdBinary, signal });
  const { acknowledged, unknown, fencedOff, harms, seconds, faults } = outcome;
  return {
    isFine: faults.length === 0,
    lines: [
      `${outcome.acquisitions} locks acquired in ${seconds.toFixed(0)} s by 50 clients, under ${harms} faults of members, connections and gateways`,
      `fenced writes acknowledged ${acknowledged}, of unknown outcome ${unknown}, kept out ${fencedOff}`,
      `wrong ${faults.length}`,
      ...faults.slice(0, 20),
    ],
  };
}
