import type { Finding } from './row.ts';
import { type Summary, summarize } from './statistics.ts';
import { compare, describeTarget } from './verdict.ts';

const HEADER = ['measure', 'Concord', 'peer', 'Concord against peer', 'to reach'] as const;
const GAP = '  ';

/** The findings as a table for a terminal: every figure is the median of the rounds, with least and greatest. */
export function formatTable(findings: readonly Finding[]): string {
  const rows = [HEADER, ...findings.map(formatRow)];
  const widths = HEADER.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join(GAP)
      .trimEnd(),
  );
  const rule = widths.map((width) => '-'.repeat(width)).join(GAP);
  return [lines[0], rule, ...lines.slice(1)].join('\n');
}

function formatRow(finding: Finding): readonly string[] {
  const { measure, unit, concord, peer, compares, target } = finding;
  const compared = compare(finding);
  const suffix = unit === 'ms' ? ' ms' : '/s';
  const format = unit === 'ms' ? formatMs : formatRate;
  return [
    measure,
    formatSummary(summarize(concord), format, suffix),
    peer === undefined ? '' : `${peer.name} ${formatSummary(summarize(peer.values), format, suffix)}`,
    formatCompared(compared, compares),
    describeTarget(target, compared.median, compares === 'ratio' ? '×' : ' ms'),
  ];
}

function formatCompared(compared: Summary, compares: Finding['compares']): string {
  switch (compares) {
    case 'ratio':
      return formatSummary(compared, (value) => value.toFixed(2), '×');
    case 'difference':
      return formatSummary(compared, (value) => `${value < 0 ? '' : '+'}${formatMs(value)}`, ' ms');
    case 'itself':
      return '';
  }
}

function formatSummary(
  { min, median, max }: Summary,
  format: (value: number) => string,
  suffix: string,
): string {
  return `${format(median)}${suffix} (${format(min)}–${format(max)})`;
}

function formatRate(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function formatMs(value: number): string {
  return value.toFixed(Math.abs(value) < 10 ? 2 : 0);
}
