import { describeConditions } from '../describe-conditions.ts';
import type { GrowthRun, Run } from '../results-file.ts';
import { formatMarkdownTable } from '../table.ts';

/** A part of docs/performance.md that a run of the bench writes. */
export type PageSection = 'bars' | 'growth';

/** Puts a section in the place of the one that is there. @throws Error where the page has no place for it */
export function replaceSection(page: string, section: PageSection, content: string): string {
  const begin = `<!-- ${section}: written by npm run bench -- ${section} --document -->`;
  const end = `<!-- end of ${section} -->`;
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`the page has no place for ${section}: ${begin} … ${end}`);
  return `${page.slice(0, from)}${begin}\n\n${content}\n\n${page.slice(to)}`;
}

/** The table of what has to be reached, and how it was made. */
export function barsSection(run: Run): string {
  return [formatMarkdownTable(run.findings), '', ...conditions(run)].join('\n');
}

/** The plots, and how they were made. */
export function growthSection(run: GrowthRun): string {
  const images = run.plots.flatMap(({ name, title, xLabel }) => [
    `![${title}, by ${xLabel}](performance/${name}.svg)`,
    '',
  ]);
  return [...images, ...conditions(run)].join('\n');
}

function conditions(run: Run | GrowthRun): readonly string[] {
  return describeConditions(run).map((line) => `- ${line}`);
}
