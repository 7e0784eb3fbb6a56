// bench: Concord beside etcd on one machine, in one run; performance.md holds the bar.
// Figures go to stdout and to bench-results/, progress to stderr. 0 after a run, 1 after a failure, 2 for a wrong command line.

import { fileURLToPath } from 'node:url';
import { describeProfile, listProfiles } from './gateway-profile.ts';
import { findLoadTools } from './load/load-tools.ts';
import { describeMachine } from './machine.ts';
import { type BenchOptions, benchHelp, parseOptions, UsageError } from './options.ts';
import { startPeers } from './peers/start-peers.ts';
import { type Run, writeResults } from './results-file.ts';
import type { Bench, Finding } from './row.ts';
import { ROWS } from './rows.ts';
import { formatTable } from './table.ts';

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
  const findings: Finding[] = [];
  try {
    const results = await measure(options, profileDir, findings, signal);
    print(`\n${formatTable(findings)}\n\n${describeRun(results)}`);
    print(`written to ${await writeResults(RESULTS_FOLDER, results)}`);
  } catch (error) {
    if (findings.length > 0)
      print(`\n${formatTable(findings)}\n\nthe rows before the failure; not written to a file`);
    throw error;
  }
  if (profileDir === undefined) return;
  for (const path of await listProfiles(profileDir)) {
    if (!profilesBefore.has(path)) print(`\n${await describeProfile(path)}`);
  }
}

/** Adds to `findings` row by row, so that a failure leaves those before it. */
async function measure(
  options: BenchOptions,
  profileDir: string | undefined,
  findings: Finding[],
  signal: AbortSignal,
): Promise<Run> {
  const { rows, rounds, seconds, leases, etcdBinary, areToolsUsed } = options;
  const startedAt = new Date();
  const machine = describeMachine();
  const tools = areToolsUsed ? await findLoadTools() : {};
  tell('starting etcd, grpc-proxy and the gateway');
  await using peers = await startPeers({ etcdBinary, profileDir, signal });
  const bench: Bench = { peers, tools, rounds, seconds, leases, signal, progress: tell };
  try {
    for (const row of rows) findings.push(...(await row.measure(bench)));
  } finally {
    for (const line of peers.gateway.lastLines()) tell(`the gateway logged: ${line}`);
  }
  return {
    startedAt,
    rounds,
    seconds,
    tools: Object.keys(tools),
    etcdVersion: peers.etcd.version,
    machine,
    findings,
  };
}

function describeRun({ rounds, seconds, tools, etcdVersion, machine }: Run): string {
  return [
    `median (least–greatest) of ${rounds} rounds of ${seconds} s; load drivers: ${['own', ...tools].join(', ')}`,
    `etcd ${etcdVersion} without fsync, node ${machine.node}, 10,000 keys, 256-byte values`,
    `${machine.cpus} cores shared by all; load average before the run: ${machine.loadAverage1m.toFixed(1)}`,
  ].join('\n');
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function tell(text: string): void {
  process.stderr.write(`${text}\n`);
}
