import type { LoadResult } from './load/load.ts';
import { compact, countWrites } from './peers/etcd-json.ts';
import { type Contender, measureRounds } from './rounds.ts';
import type { Bench } from './row.ts';
import type { RoundResults } from './turns.ts';

/**
 * Measures rounds of Puts under `prefix`. Afterwards every Put that was answered must have happened, once: etcd counts the
 * writes of each key, and of those that were cut off each may have happened or not. History is compacted after each round, outside the time that is measured, so that the last round finds
 * a store like the first one's.
 */
export async function measureWrites(
  bench: Bench,
  row: string,
  prefix: string,
  contenders: readonly Contender[],
): Promise<RoundResults<LoadResult>> {
  const { endpoint } = bench.peers.etcd;
  const writesBefore = await countWrites(endpoint, prefix, bench);
  let answered = 0;
  let cutOff = 0;
  const afterRound = async (results: readonly LoadResult[]) => {
    answered += results.reduce((sum, { answers }) => sum + answers, 0);
    cutOff += results.reduce((sum, result) => sum + result.cutOff, 0);
    await compact(endpoint, bench);
  };
  const results = await measureRounds(bench, row, contenders, { afterRound });
  const written = (await countWrites(endpoint, prefix, bench)) - writesBefore;
  if (written < answered || written > answered + cutOff)
    throw new Error(`${row}: ${answered} Puts succeeded, and etcd did ${written}`);
  return results;
}
