import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Machine } from './machine.ts';
import type { Plot } from './plots/plot.ts';
import type { Finding } from './row.ts';
import { summarize } from './statistics.ts';
import { compare, reaches } from './verdict.ts';

/** How a run of the bench was made. */
export interface Conditions {
  readonly startedAt: Date;
  readonly rounds: number;
  readonly seconds: number;
  /** The load generators that were there, besides the one of our own. */
  readonly tools: readonly string[];
  readonly etcdVersion: string;
  readonly machine: Machine;
}

/** A run of rows. */
export interface Run extends Conditions {
  readonly findings: readonly Finding[];
}

/** A run of what grows. */
export interface GrowthRun extends Conditions {
  readonly plots: readonly Plot[];
}

/** Writes `<folder>/<time>.json`, with every value of every round, and gives its path. */
export async function writeResults(folder: string, run: Run | GrowthRun): Promise<string> {
  const file = join(folder, `${run.startedAt.toISOString().replaceAll(':', '-')}.json`);
  await mkdir(folder, { recursive: true });
  await writeFile(file, formatResults(run));
  return file;
}

/** A run as JSON; its findings are judged. */
export function formatResults(run: Run | GrowthRun): string {
  const judged = 'findings' in run ? { ...run, findings: run.findings.map(judge) } : run;
  return `${JSON.stringify(judged, undefined, 2)}\n`;
}

/** Reads what {@link formatResults} gave. */
export function readResults<R extends Run | GrowthRun>(json: string): R {
  const run: R = JSON.parse(json);
  return { ...run, startedAt: new Date(run.startedAt) };
}

function judge(finding: Finding) {
  const { target, peer } = finding;
  const compared = compare(finding);
  return {
    ...finding,
    summary: { concord: summarize(finding.concord), peer: peer && summarize(peer.values), compared },
    isReached: target && reaches(compared.median, target.kind, target.bar),
  };
}
