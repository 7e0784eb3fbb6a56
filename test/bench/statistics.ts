/** What a series of values comes to. */
export interface Summary {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** The middle value; of an even number of values, the mean of the two in the middle. @throws RangeError for no values */
export function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  if (upper === undefined) throw new RangeError('no values have no median');
  const lower = sorted.length % 2 === 0 ? sorted[middle - 1] : upper;
  return ((lower ?? upper) + upper) / 2;
}

/** The least of the values that so many percent of them do not exceed. @throws RangeError for no values */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = Float64Array.from(values).sort();
  const found = sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)];
  if (found === undefined) throw new RangeError('no values have no percentile');
  return found;
}

/** @throws RangeError for no values */
export function summarize(values: readonly number[]): Summary {
  return { min: Math.min(...values), median: median(values), max: Math.max(...values) };
}

/**
 * Each value over the other of the same round, so that a drift which hits a whole round cancels out.
 *
 * @throws RangeError where the series differ in length
 */
export function ratios(values: readonly number[], others: readonly number[]): readonly number[] {
  return paired(values, others, (value, other) => value / other);
}

/** Each value less the other of the same round. @throws RangeError where the series differ in length */
export function differences(values: readonly number[], others: readonly number[]): readonly number[] {
  return paired(values, others, (value, other) => value - other);
}

function paired(
  values: readonly number[],
  others: readonly number[],
  combine: (value: number, other: number) => number,
): readonly number[] {
  if (values.length !== others.length) {
    throw new RangeError(`${values.length} values cannot be paired with ${others.length}`);
  }
  return values.map((value, round) => combine(value, others[round] ?? Number.NaN));
}
