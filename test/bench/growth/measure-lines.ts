import type { LoadResult } from '../load/load.ts';
import type { PlotLine } from '../plots/plot.ts';
import { type Contender, measureRounds, rates } from '../rounds.ts';
import type { Bench } from '../row.ts';
import type { RoundResults } from '../turns.ts';

/** What came of one size. */
interface Measured {
  readonly size: number;
  readonly contenders: readonly Contender[];
  readonly results: RoundResults<LoadResult>;
}

/**
 * Measures a line for each contender: at each size, the successes per second of each round.
 *
 * Where no call was answered in time there is no point: an axis in powers of ten has no 0.
 *
 * @param prepare - makes the contenders of a size, the same ones for each; what it writes is not measured
 */
export async function measureLines(
  bench: Bench,
  name: string,
  sizes: readonly number[],
  prepare: (size: number) => Promise<readonly Contender[]>,
): Promise<readonly PlotLine[]> {
  const measured: Measured[] = [];
  for (const size of sizes) {
    const contenders = await prepare(size);
    const results = await measureRounds(bench, `${name}, ${size}`, contenders);
    measured.push({ size, contenders, results });
  }
  const names = measured[0]?.contenders.map((contender) => contender.name) ?? [];
  return names.map((line) => ({
    name: line,
    points: measured
      .map(({ size, results }) => ({ x: size, values: rates(results(line)).filter((rate) => rate > 0) }))
      .filter(({ values }) => values.length > 0),
  }));
}
