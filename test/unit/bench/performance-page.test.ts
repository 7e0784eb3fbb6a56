import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { barsSection, growthSection, replaceSection } from '../../bench/document/performance-page.ts';
import { drawPlot } from '../../bench/plots/draw-plot.ts';
import { type GrowthRun, type Run, readResults } from '../../bench/results-file.ts';

describe('docs/performance.md', () => {
  const page = readFileSync('docs/performance.md', 'utf8');
  const bars = readResults<Run>(readFileSync('docs/performance/bars.json', 'utf8'));
  const growth = readResults<GrowthRun>(readFileSync('docs/performance/growth.json', 'utf8'));

  it('has what the JSON beside it says', () => {
    expect(replaceSection(page, 'bars', barsSection(bars))).toBe(page);
    expect(replaceSection(page, 'growth', growthSection(growth))).toBe(page);
  });

  it('shows plots that are drawn from it', () => {
    expect(growth.plots.length).toBeGreaterThan(0);
    for (const plot of growth.plots) {
      expect(readFileSync(`docs/performance/${plot.name}.svg`, 'utf8')).toBe(drawPlot(plot));
    }
  });

  it('is not written where it has no place for a section', () => {
    expect(() => replaceSection('# Performance', 'bars', '')).toThrow('no place for bars');
  });
});
