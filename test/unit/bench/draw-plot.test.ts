import { describe, expect, it } from 'vitest';
import { drawPlot } from '../../bench/plots/draw-plot.ts';
import { spreadApart } from '../../bench/plots/spread-apart.ts';

const svg = drawPlot({
  name: 'get',
  title: 'Get & Put',
  xLabel: 'calls in flight',
  yLabel: 'calls per second',
  lines: [
    {
      name: 'Concord',
      points: [
        { x: 1, values: [100, 300, 200] },
        { x: 100, values: [9_000] },
      ],
    },
    { name: 'etcd itself', points: [{ x: 1, values: [1_000] }] },
  ],
});

describe('a plot', () => {
  it('says what it shows, in which units, and for whom', () => {
    for (const words of ['<title>Get &amp; Put</title>', '>calls in flight<', '>calls per second<'])
      expect(svg).toContain(words);
    expect(svg).toMatch(/fill: #2b8cd6">Concord</);
    expect(svg).toMatch(/fill: #e0661a">etcd itself</);
  });

  it('has a mark for each size, at the median, and a stroke from the least to the greatest', () => {
    const marks = [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)];
    const strokes = [
      ...svg.matchAll(/<path stroke="#2b8cd6" stroke-width="1" d="M([\d.]+) ([\d.]+)V([\d.]+)"/g),
    ];
    expect(marks).toHaveLength(3);
    const [, , middle] = marks[0] ?? [];
    const [, , least, greatest] = strokes[0] ?? [];
    expect(Number(least)).toBeGreaterThan(Number(middle));
    expect(Number(middle)).toBeGreaterThan(Number(greatest));
  });

  it('can be read on dark ground', () => {
    expect(svg).toContain('prefers-color-scheme: dark');
  });
});

describe('names at the ends of lines', () => {
  it('are moved down as far as they would lie on each other', () => {
    expect(spreadApart([50, 10, 12, 15], 10)).toEqual([50, 10, 20, 30]);
  });
});
