import { describe, expect, it } from 'vitest';
import type { Finding } from '../../bench/row.ts';
import { formatMarkdownTable, formatTable } from '../../bench/table.ts';

const FINDINGS: readonly Finding[] = [
  {
    measure: 'Get',
    unit: 'per second',
    concord: [900, 1_000, 1_300],
    peer: { name: 'etcd itself', values: [1_000, 1_000, 1_000] },
    compares: 'ratio',
    driver: 'h2load',
    target: { kind: 'at-least', bar: 0.5, nextBar: 1.5 },
  },
  { measure: 'start', unit: 'ms', concord: [410], compares: 'itself', target: { kind: 'at-most', bar: 400 } },
  { measure: 'renewals', unit: 'per second', concord: [12], compares: 'itself' },
];

describe('the table of a run', () => {
  it('has median, least and greatest, the ratio, what is to be reached, and the driver', () => {
    const [, , get, start, renewals] = formatTable(FINDINGS).split('\n');
    expect(get?.split(/ {2,}/)).toEqual([
      'Get',
      '1,000/s (900–1,300)',
      'etcd itself 1,000/s (1,000–1,000)',
      '1.00× (0.90–1.30)',
      '≥ 0.5× reached, then 1.5× not reached',
      'h2load',
    ]);
    expect(start?.split(/ {2,}/)).toEqual(['start', '410 ms (410–410)', '≤ 400 ms not reached']);
    expect(renewals?.split(/ {2,}/)).toEqual(['renewals', '12/s (12–12)', 'none set']);
  });

  it('is the same in Markdown', () => {
    const [header, rule, get] = formatMarkdownTable(FINDINGS).split('\n');
    expect(header).toBe('| measure | Concord | peer | Concord against peer | to reach | driver |');
    expect(rule).toBe('| --- | --- | --- | --- | --- | --- |');
    expect(get).toBe(
      '| Get | 1,000/s (900–1,300) | etcd itself 1,000/s (1,000–1,000) | 1.00× (0.90–1.30) | ≥ 0.5× reached, then 1.5× not reached | h2load |',
    );
  });
});
