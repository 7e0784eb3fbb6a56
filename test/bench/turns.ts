import type { Bench } from './row.ts';

/** One server in a row, and how it is measured in a round. */
export interface Turn<Result> {
  readonly name: string;
  measure(seconds: number): Promise<Result>;
}

/** What each server came to in each round that counts, by its name. */
export type RoundResults<Result> = (name: string) => readonly Result[];

/** Long enough for the compilers of a cold gateway and of the driver, also where a round is short. */
const MIN_WARM_UP_SECONDS = 2;

/**
 * Measures the servers in turn, a round at a time, so that a drift of the machine hits all alike. A round that does not count
 * goes before the others: it warms up every server and the driver.
 *
 * @param options `afterRound` runs outside the time that is measured. Default: nothing.
 */
export async function takeTurns<Result>(
  bench: Bench,
  row: string,
  turns: readonly Turn<Result>[],
  {
    afterRound = async () => {},
  }: { readonly afterRound?: (results: readonly Result[]) => Promise<void> } = {},
): Promise<RoundResults<Result>> {
  const counted = new Map<string, Result[]>(turns.map(({ name }) => [name, []]));
  for (let round = 0; round <= bench.rounds; round += 1) {
    const seconds = round === 0 ? Math.max(bench.seconds, MIN_WARM_UP_SECONDS) : bench.seconds;
    const results: Result[] = [];
    for (const { name, measure } of turns) {
      bench.progress(`${row}: ${round === 0 ? 'warm-up' : `round ${round} of ${bench.rounds}`}, ${name}`);
      const result = await measure(seconds).catch((cause: unknown) => {
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
