import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Machine } from './machine.ts';
import type { Finding } from './row.ts';
import { summarize } from './statistics.ts';
import { compare, reaches } from './verdict.ts';

/** One run of the bench. */
export interface Run {
  readonly startedAt: Date;
  readonly rounds: number;
  readonly seconds: number;
  /** The load generators that were there, besides the one of our own. */
  readonly tools: readonly string[];
  readonly etcdVersion: string;
  readonly machine: Machine;
  readonly findings: readonly Finding[];
}

/** Writes `<folder>/<time>.json`, with every value of every round, and gives its path. */
export async function writeResults(folder: string, run: Run): Promise<string> {
  const file = join(folder, `${run.startedAt.toISOString().replaceAll(':', '-')}.json`);
  await mkdir(folder, { recursive: true });
  await writeFile(file, `${JSON.stringify({ ...run, findings: run.findings.map(judge) }, undefined, 2)}\n`);
  return file;
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
