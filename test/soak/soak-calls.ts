import { type BothWays, startBothWays } from '../support/differential/both-ways.ts';
import { compareCalls, randomSeed } from '../support/differential/compare-calls.ts';
import { cutOffCalls } from '../support/differential/cut-off-calls.ts';
import {
  type KindOfCalls,
  overdueCalls,
  PAST_TIMEOUTS,
  PROMPT_CALLS,
  WAITING_CALLS,
} from '../support/differential/kinds-of-calls.ts';

/** So many of a hundred calls. */
interface Share {
  readonly name: string;
  readonly percent: number;
  readonly run: (both: BothWays, options: RunOptions) => Promise<void>;
}

interface RunOptions {
  readonly calls: number;
  readonly seed: number;
  readonly signal: AbortSignal;
}

const SHARES: readonly Share[] = [
  { name: 'answered at once', percent: 60, run: comparing(PROMPT_CALLS) },
  { name: 'that stream or wait', percent: 15, run: comparing(WAITING_CALLS) },
  ...PAST_TIMEOUTS.map((timeout) => ({
    name: `overdue by a time-out of ${timeout}`,
    percent: 5,
    run: comparing(overdueCalls(timeout)),
  })),
  { name: 'cut off', percent: 10, run: cutOffCalls },
];

/**
 * Returns what sends `calls` random calls past the library and by it; fine where they are answered the same. Runs on the etcd that tests
 * use.
 *
 * @param seed of the calls; undefined: any
 */
export function createCallsSoak(seed = randomSeed()) {
  return async (
    calls: number,
    _etcdBinary: string | undefined,
    stopped: AbortSignal,
  ): Promise<{ readonly isFine: boolean; readonly lines: readonly string[] }> => {
    await using both = await startBothWays();
    const lines: string[] = [];
    let isFine = true;
    for (const { name, percent, run } of SHARES) {
      const size = Math.ceil((calls * percent) / 100);
      try {
        await run(both, { calls: size, seed, signal: stopped });
        await both.check();
        lines.push(`${size} calls ${name}: the same past the library and by it, with the seed ${seed}`);
      } catch (error) {
        stopped.throwIfAborted();
        isFine = false;
        lines.push(`${size} calls ${name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    return { isFine, lines };
  };
}

function comparing(kind: KindOfCalls): Share['run'] {
  return (both, options) => compareCalls(both, { ...kind, ...options });
}
