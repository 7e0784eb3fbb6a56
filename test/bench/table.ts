import type { Finding, Unit } from './row.ts';
import { type Summary, summarize } from './statistics.ts';
import { compare, describeTarget } from './verdict.ts';

const HEADER = ['measure', 'Concord', 'peer', 'Concord against peer', 'to reach', 'driver'] as const;
const GAP = '  ';
const FORMATS: Readonly<
  Record<Unit, { readonly format: (value: number) => string; readonly suffix: string }>
> = {
  'per second': { format: formatWhole, suffix: '/s' },
  ms: { format: formatExact, suffix: ' ms' },
  KB: { format: formatExact, suffix: ' KB' },
  MB: { format: formatExact, suffix: ' MB' },
  '%': { format: formatExact, suffix: ' %' },
  watches: { format: formatWhole, suffix: '' },
  streams: { format: formatWhole, suffix: '' },
  leases: { format: formatWhole, suffix: '' },
};

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

/** The same in Markdown. */
export function formatMarkdownTable(findings: readonly Finding[]): string {
  const rows = [HEADER, HEADER.map(() => '---'), ...findings.map(formatRow)];
  return rows.map((row) => `| ${row.join(' | ')} |`).join('\n');
}

function formatRow(finding: Finding): readonly string[] {
  const { measure, unit, concord, peer, compares, target, driver = '' } = finding;
  const compared = compare(finding);
  const { format, suffix } = FORMATS[unit];
  return [
    measure,
    formatSummary(summarize(concord), format, suffix),
    peer === undefined ? '' : `${peer.name} ${formatSummary(summarize(peer.values), format, suffix)}`,
    formatCompared(compared, finding),
    describeTarget(target, compared.median, compares === 'ratio' ? '×' : suffix),
    driver,
  ];
}

function formatCompared(compared: Summary, { compares, unit }: Finding): string {
  const { format, suffix } = FORMATS[unit];
  switch (compares) {
    case 'ratio':
      return formatSummary(compared, (value) => value.toFixed(2), '×');
    case 'difference':
      return formatSummary(compared, (value) => `${value < 0 ? '' : '+'}${format(value)}`, suffix);
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

function formatWhole(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function formatExact(value: number): string {
  return value.toFixed(Math.abs(value) < 10 ? 2 : 0);
}
