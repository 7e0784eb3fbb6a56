// bench: Concord beside etcd on one machine, in one run; performance.md holds the bar.
// Figures go to stdout and to bench-results/, progress to stderr. 0 after a run, 1 after a failure, 2 for a wrong command line.

import { fileURLToPath } from 'node:url';
import { describeConditions } from './describe-conditions.ts';
import { writeDocument } from './document/write-document.ts';
import { describeProfile, listProfiles } from './gateway-profile.ts';
import { measureGrowth } from './growth/growth.ts';
import { findLoadTools } from './load/load-tools.ts';
import { describeMachine } from './machine.ts';
import { type BenchOptions, benchHelp, parseOptions, UsageError } from './options.ts';
import { startPeers } from './peers/start-peers.ts';
import { formatPlots } from './plots/format-plots.ts';
import { type Conditions, type GrowthRun, type Run, writeResults } from './results-file.ts';
import type { Bench, Finding, Row } from './row.ts';
import { ROWS } from './rows.ts';
import { formatTable } from './table.ts';

const DOCS_FOLDER = fileURLToPath(new URL('../../docs', import.meta.url));
const RESULTS_FOLDER = fileURLToPath(new URL('../../bench-results', import.meta.url));

process.exitCode = await main();

async function main(): Promise<number> {
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.on(name, () => stop.abort(new Error(`stopped by ${name}`)));
  try {
    const options = parseOptions(process.argv.slice(2), ROWS);
    if (options === undefined) print(benchHelp(ROWS));
    else await run(options, stop.signal);
    return 0;
  } catch (error) {
    tell(`bench: ${error instanceof Error ? error.message : String(error)}`);
    return error instanceof UsageError ? 2 : 1;
  }
}

async function run(options: BenchOptions, signal: AbortSignal): Promise<void> {
  const profileDir = options.isProfiled ? RESULTS_FOLDER : undefined;
  const profilesBefore = new Set(await listProfiles(RESULTS_FOLDER));
  const results = await measure(options, profileDir, signal);
  print(`\n${describeResults(results)}\n\n${describeConditions(results).join('\n')}`);
  print(`written to ${await writeResults(RESULTS_FOLDER, results)}`);
  if (options.isDocumented) await writeDocument(DOCS_FOLDER, results);
  if (profileDir === undefined) return;
  for (const path of await listProfiles(profileDir)) {
    if (!profilesBefore.has(path)) print(`\n${await describeProfile(path)}`);
  }
}

async function measure(
  options: BenchOptions,
  profileDir: string | undefined,
  signal: AbortSignal,
): Promise<Run | GrowthRun> {
  const { subject, rounds, seconds, leases, etcdBinary, areToolsUsed } = options;
  const startedAt = new Date();
  const machine = describeMachine();
  const tools = areToolsUsed ? await findLoadTools() : {};
  tell('starting etcd, grpc-proxy and the gateway');
  await using peers = await startPeers({ etcdBinary, profileDir, signal });
  const bench: Bench = { peers, tools, rounds, seconds, leases, signal, progress: tell };
  const conditions: Conditions = {
    startedAt,
    rounds,
    seconds,
    tools: Object.keys(tools),
    etcdVersion: peers.etcd.version,
    machine,
  };
  try {
    return subject.kind === 'growth'
      ? { ...conditions, tools: [], plots: await measureGrowth(bench) }
      : { ...conditions, findings: await measureRows(bench, subject.rows) };
  } finally {
    for (const line of peers.gateway.lastLines()) tell(`the gateway logged: ${line}`);
  }
}

/** Measures row by row, and prints those before a failure. */
async function measureRows(bench: Bench, rows: readonly Row[]): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  try {
    for (const row of rows) findings.push(...(await row.measure(bench)));
    return findings;
  } catch (error) {
    if (findings.length > 0)
      print(`\n${formatTable(findings)}\n\nthe rows before the failure; not written to a file`);
    throw error;
  }
}

function describeResults(results: Run | GrowthRun): string {
  return 'findings' in results ? formatTable(results.findings) : formatPlots(results.plots);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function tell(text: string): void {
  process.stderr.write(`${text}\n`);
}
