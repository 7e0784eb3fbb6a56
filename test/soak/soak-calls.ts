import { PROMPT_METHODS, startBothWays } from '../support/differential/both-ways.ts';
import { compareCalls } from '../support/differential/compare-calls.ts';

/** Sends `calls` random calls past the library and by it; fine where they are answered the same. Runs on the etcd that tests use. */
export async function soakCalls(
  calls: number,
  _etcdBinary: string | undefined,
  stopped: AbortSignal,
): Promise<{ readonly isFine: boolean; readonly lines: readonly string[] }> {
  await using both = await startBothWays();
  try {
    await compareCalls(both, { methods: PROMPT_METHODS, calls, signal: stopped });
    await both.check();
    return { isFine: true, lines: [`calls      ${calls}, answered the same past the library and by it`] };
  } catch (error) {
    stopped.throwIfAborted();
    return { isFine: false, lines: [`calls      ${error instanceof Error ? error.message : String(error)}`] };
  }
}
