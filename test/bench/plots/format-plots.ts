import { median } from '../statistics.ts';
import type { Plot } from './plot.ts';

/** The plots as text for a terminal: the median at each size. */
export function formatPlots(plots: readonly Plot[]): string {
  return plots.map(formatPlot).join('\n\n');
}

function formatPlot({ title, xLabel, yLabel, lines }: Plot): string {
  const width = Math.max(...lines.map(({ name }) => name.length));
  const rows = lines.map(({ name, points }) => {
    const figures = points.map(
      ({ x, values }) => `${x.toLocaleString('en')}: ${formatValue(median(values))}`,
    );
    return `  ${name.padEnd(width)}  ${figures.join('   ')}`;
  });
  return [`${title}: ${yLabel}, by ${xLabel}`, ...rows].join('\n');
}

function formatValue(value: number): string {
  return value.toLocaleString('en', { maximumSignificantDigits: 4 });
}
