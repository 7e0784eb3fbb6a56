import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { drawPlot } from '../plots/draw-plot.ts';
import { formatResults, type GrowthRun, type Run } from '../results-file.ts';
import { barsSection, growthSection, type PageSection, replaceSection } from './performance-page.ts';

/**
 * Writes what came of a run into the documents: its section of `performance.md`, and its values as `performance/bars.json`, or
 * `performance/growth.json` with a plot each beside it.
 */
export async function writeDocument(docs: string, run: Run | GrowthRun): Promise<void> {
  const folder = join(docs, 'performance');
  await mkdir(folder, { recursive: true });
  const [section, content]: readonly [PageSection, string] =
    'plots' in run ? ['growth', growthSection(run)] : ['bars', barsSection(run)];
  if ('plots' in run) {
    for (const plot of run.plots) await writeFile(join(folder, `${plot.name}.svg`), drawPlot(plot));
  }
  await writeFile(join(folder, `${section}.json`), formatResults(run));
  const page = join(docs, 'performance.md');
  await writeFile(page, replaceSection(await readFile(page, 'utf8'), section, content));
}
