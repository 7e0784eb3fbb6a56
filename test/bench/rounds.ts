import type { Call } from './load/call.ts';
import { drive, type LoadResult, type LoadShape } from './load/drive.ts';
import type { Bench } from './row.ts';
import { type RoundResults, takeTurns } from './turns.ts';

/** One server and what it is asked for. */
export interface Contender {
  readonly name: string;
  readonly port: number;
  readonly call: Call;
  readonly shape: LoadShape;
}

/** Loads the contenders in turn: see {@link takeTurns}, also for `afterRound`. */
export function measureRounds(
  bench: Bench,
  row: string,
  contenders: readonly Contender[],
  options: { readonly afterRound?: (results: readonly LoadResult[]) => Promise<void> } = {},
): Promise<RoundResults<LoadResult>> {
  const turns = contenders.map(({ name, port, call, shape }) => ({
    name,
    measure: (seconds: number) => drive(port, call, shape, seconds, bench),
  }));
  return takeTurns(bench, row, turns, options);
}

/** The successes per second of each round. */
export function rates(results: readonly LoadResult[]): readonly number[] {
  return results.map(({ perSecond }) => perSecond);
}
