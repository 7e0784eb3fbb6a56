import { chooseDriver, drive, type Load } from './load/drive.ts';
import type { Driver, LoadResult } from './load/load.ts';
import type { Bench } from './row.ts';
import { type RoundResults, takeTurns } from './turns.ts';

/** One server and what it is asked for. */
export interface Contender extends Load {
  readonly name: string;
}

/** Loads the contenders in turn, all by one driver: see {@link takeTurns}, also for `afterRound`. */
export function measureRounds(
  bench: Bench,
  row: string,
  contenders: readonly Contender[],
  options: { readonly afterRound?: (results: readonly LoadResult[]) => Promise<void> } = {},
): Promise<RoundResults<LoadResult>> {
  const driver = chooseDriver(contenders, bench.tools);
  const turns = contenders.map((contender) => ({
    name: contender.name,
    measure: (seconds: number) => drive(driver, contender, seconds, bench),
  }));
  return takeTurns(bench, row, turns, options);
}

/** Who made the load. */
export function driverOf(results: readonly LoadResult[]): { readonly driver?: Driver } {
  const [first] = results;
  return first === undefined ? {} : { driver: first.driver };
}

/** The successes per second of each round. */
export function rates(results: readonly LoadResult[]): readonly number[] {
  return results.map(({ perSecond }) => perSecond);
}
