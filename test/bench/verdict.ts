import type { Finding, Target } from './row.ts';
import { differences, ratios, type Summary, summarize } from './statistics.ts';

/** What is held to a finding's target, over all rounds. */
export function compare({ concord, peer, compares }: Finding): Summary {
  const values = peer?.values ?? [];
  switch (compares) {
    case 'ratio':
      return summarize(ratios(concord, values));
    case 'difference':
      return summarize(differences(concord, values));
    case 'itself':
      return summarize(concord);
  }
}

/** Whether the median reaches a bar. */
export function reaches(median: number, kind: Target['kind'], bar: number): boolean {
  return kind === 'at-least' ? median >= bar : median <= bar;
}

/** A target and what has become of it, in words. */
export function describeTarget(target: Target | undefined, median: number, unit: string): string {
  if (target === undefined) return 'none set';
  const { kind, bar, nextBar } = target;
  const sign = kind === 'at-least' ? '≥' : '≤';
  const judge = (value: number) =>
    `${value}${unit} ${reaches(median, kind, value) ? 'reached' : 'not reached'}`;
  return `${sign} ${judge(bar)}${nextBar === undefined ? '' : `, then ${judge(nextBar)}`}`;
}
