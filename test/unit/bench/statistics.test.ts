import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { differences, median, percentile, ratios, summarize } from '../../bench/statistics.ts';

const values = fc.array(fc.double({ min: 0.001, max: 1e9, noNaN: true }), { minLength: 1 });

describe('the median', () => {
  it('is the middle value of an odd number of values', () => {
    expect(median([100, 9, 10])).toBe(10);
  });

  it('is the mean of the two in the middle of an even number', () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  it('has as many values below as above', () => {
    fc.assert(
      fc.property(values, (series) => {
        const middle = median(series);
        const below = series.filter((value) => value < middle).length;
        const above = series.filter((value) => value > middle).length;
        expect(Math.max(below, above)).toBeLessThanOrEqual(series.length / 2);
      }),
    );
  });

  it('leaves the values in their order', () => {
    const series = [3, 1, 2];
    median(series);
    expect(series).toEqual([3, 1, 2]);
  });

  it('is refused for no values', () => {
    expect(() => median([])).toThrow(RangeError);
  });
});

describe('a percentile', () => {
  it('is the least value that so many percent do not exceed', () => {
    const series = Array.from({ length: 200 }, (_, index) => 200 - index);
    expect([0, 50, 99, 100].map((percent) => percentile(series, percent))).toEqual([1, 100, 198, 200]);
  });

  it('is one of the values', () => {
    fc.assert(
      fc.property(values, fc.integer({ min: 0, max: 100 }), (series, percent) => {
        expect(series).toContain(percentile(series, percent));
      }),
    );
  });

  it('is refused for no values', () => {
    expect(() => percentile([], 99)).toThrow(RangeError);
  });
});

describe('the summary', () => {
  it('names the least, the middle and the greatest value', () => {
    expect(summarize([5, 1, 3])).toEqual({ min: 1, median: 3, max: 5 });
  });

  it('is refused for no values', () => {
    expect(() => summarize([])).toThrow(RangeError);
  });
});

describe('ratios and differences', () => {
  it('pair the values of a round', () => {
    expect(ratios([10, 30], [20, 10])).toEqual([0.5, 3]);
    expect(differences([10, 30], [20, 10])).toEqual([-10, 20]);
  });

  it('are free of what hits both sides of a round', () => {
    fc.assert(
      fc.property(values, fc.integer({ min: 1, max: 1_000 }), (series, slowdown) => {
        const slowed = series.map((value) => value / slowdown);
        for (const ratio of ratios(slowed, slowed)) expect(ratio).toBe(1);
      }),
    );
  });

  it('are refused for series of different lengths', () => {
    expect(() => ratios([1], [1, 2])).toThrow(RangeError);
    expect(() => differences([1, 2], [1])).toThrow(RangeError);
  });
});
