import type { Call } from './load/call.ts';
import { drive, type LoadResult, type LoadShape } from './load/drive.ts';
import type { Bench } from './row.ts';

/** One server and what it is asked for. */
export interface Contender {
  readonly name: string;
  readonly port: number;
  readonly call: Call;
  readonly shape: LoadShape;
}

/** Long enough for the compilers of a cold gateway and of the driver, also where a round is short. */
const MIN_WARM_UP_SECONDS = 2;

/** What each contender came to in each round that counts, by its name. */
export type RoundResults = (name: string) => readonly LoadResult[];

/**
 * Loads the contenders in turn, a round at a time, so that a drift of the machine hits all alike. A round that does not
 * count goes before the others: it warms up every server and the driver.
 *
 * @param options `afterRound` runs outside the time that is measured. Default: nothing.
 */
export async function measureRounds(
  bench: Bench,
  row: string,
  contenders: readonly Contender[],
  {
    afterRound = async () => {},
  }: { readonly afterRound?: (results: readonly LoadResult[]) => Promise<void> } = {},
): Promise<RoundResults> {
  const counted = new Map<string, LoadResult[]>(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round <= bench.rounds; round += 1) {
    const seconds = round === 0 ? Math.max(bench.seconds, MIN_WARM_UP_SECONDS) : bench.seconds;
    const results: LoadResult[] = [];
    for (const { name, port, call, shape } of contenders) {
      bench.progress(`${row}: ${round === 0 ? 'warm-up' : `round ${round} of ${bench.rounds}`}, ${name}`);
      const result = await drive(port, call, shape, seconds, bench).catch((cause: unknown) => {
        throw new Error(`${row}, ${name}: ${cause instanceof Error ? cause.message : String(cause)}`, {
          cause,
        });
      });
      results.push(result);
      if (round > 0) counted.get(name)?.push(result);
    }
    await afterRound(results);
  }
  return (name) => counted.get(name) ?? [];
}

/** The successes per second of each round. */
export function rates(results: readonly LoadResult[]): readonly number[] {
  return results.map(({ perSecond }) => perSecond);
}
