/** A logarithmic axis: where a value is, and which values are named. */
export interface LogScale {
  /** The position of a value above 0. */
  at(value: number): number;
  /** The powers of ten, smallest first. */
  readonly ticks: readonly number[];
}

/**
 * Makes an axis that begins and ends at powers of ten, with all values between them.
 *
 * @param from - the position of the axis' beginning
 * @param to - of its end; below `from` where the axis goes upwards
 * @throws RangeError for no values, or one that is not above 0
 */
export function createLogScale(values: readonly number[], from: number, to: number): LogScale {
  if (values.length === 0 || values.some((value) => !(value > 0))) {
    throw new RangeError('a logarithmic axis needs values above 0');
  }
  const first = Math.floor(Math.log10(Math.min(...values)));
  const last = Math.max(first + 1, Math.ceil(Math.log10(Math.max(...values))));
  return {
    at: (value) => from + ((Math.log10(value) - first) / (last - first)) * (to - from),
    ticks: Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i)),
  };
}

/** A value as an axis names it: `0.1`, `100`, `10k`, `1M`. */
export function formatTick(value: number): string {
  if (value >= 1_000_000) return `${value / 1_000_000}M`;
  if (value >= 1_000) return `${value / 1_000}k`;
  return String(Number(value.toPrecision(3)));
}
