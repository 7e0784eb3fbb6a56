import { describe, expect, it } from 'vitest';
import { createLogScale, formatTick } from '../../bench/plots/log-scale.ts';

describe('a logarithmic axis', () => {
  it('begins and ends at powers of ten, with every value between them', () => {
    const scale = createLogScale([15, 4_000], 0, 300);
    expect(scale.ticks).toEqual([10, 100, 1_000, 10_000]);
    expect(scale.ticks.map((tick) => Math.round(scale.at(tick)))).toEqual([0, 100, 200, 300]);
  });

  it('goes upwards where its end is above its beginning', () => {
    const scale = createLogScale([1, 100], 200, 0);
    expect(scale.at(1)).toBe(200);
    expect(scale.at(10)).toBe(100);
    expect(scale.at(100)).toBe(0);
  });

  it('has room also for one value, below 1 too', () => {
    expect(createLogScale([0.5], 0, 1).ticks).toEqual([0.1, 1]);
    expect(createLogScale([10], 0, 1).ticks).toEqual([10, 100]);
  });

  it.each([[[]], [[0, 1]], [[-1]], [[Number.NaN]]])('cannot be made for %j', (values) => {
    expect(() => createLogScale(values, 0, 1)).toThrow(RangeError);
  });

  it('names values shortly', () => {
    expect([0.1, 1, 100, 10_000, 1_000_000].map(formatTick)).toEqual(['0.1', '1', '100', '10k', '1M']);
  });
});
