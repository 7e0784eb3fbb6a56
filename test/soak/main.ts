// soak: a gateway whose connection to etcd breaks again and again, and many subscribers that must not notice.
// Figures go to stdout, progress to stderr. 0 where nothing was lost, came twice or out of order; 1 else; 2 for a wrong command line.

import { setTimeout as delay } from 'node:timers/promises';
import { openEtcd } from '../../src/etcd/open-etcd.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { openKvClient } from '../support/kv-client.ts';
import { runConcord } from '../support/run-concord.ts';
import { startEtcd } from '../support/start-etcd.ts';
import { makeTrouble } from './make-trouble.ts';
import { parseSoakOptions, SOAK_HELP, type SoakOptions, UsageError } from './options.ts';
import { readProcessMemory } from './process-memory.ts';
import { createTally, SoakSubscriber, type Tally } from './soak-subscriber.ts';
import { prefixOfGroup, startSoakWriter } from './soak-writer.ts';

const PROGRESS_INTERVAL_MS = 5_000;
/** How long nothing may be told before the run is given up. */
const SILENCE_MS = 60_000;
const POLL_MS = 50;

process.exitCode = await main();

async function main(): Promise<number> {
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.on(name, () => stop.abort(new Error(`stopped by ${name}`)));
  try {
    const options = parseSoakOptions(process.argv.slice(2));
    if (options !== undefined) return (await soak(options, stop.signal)) ? 0 : 1;
    print(SOAK_HELP);
    return 0;
  } catch (error) {
    tell(`soak: ${error instanceof Error ? error.message : String(error)}`);
    return error instanceof UsageError ? 2 : 1;
  }
}

/** Returns whether every subscriber was told everything, once and in order. */
async function soak(options: SoakOptions, stopped: AbortSignal): Promise<boolean> {
  await using etcd = await startEtcd({
    binary: options.etcdBinary,
    args: ['--quota-backend-bytes=8589934592'],
  });
  await using proxy = await startFaultProxy(etcd.port);
  await using direct = openEtcd({ endpoints: [etcd.endpoint] });
  await using gateway = await runConcord({
    env: { ETCD_ENDPOINTS: proxy.endpoint, CONCORD_LOG_LEVEL: 'error' },
  });
  tell(`etcd ${etcd.version}, the gateway is process ${gateway.pid}`);

  const tally = createTally();
  const running = new AbortController();
  const signal = AbortSignal.any([running.signal, stopped]);
  const clients = Array.from({ length: options.connections }, () => openKvClient(gateway.url));
  const subscribers = Array.from(
    { length: options.subscribers },
    (_, i) => new SoakSubscriber(prefixOfGroup(i % options.groups), tally),
  );
  const runs = subscribers.map((subscriber, i) =>
    subscriber.run(clients[i % clients.length] ?? openKvClient(gateway.url), signal),
  );
  const slowest = () =>
    subscribers.reduce((least, { position }) => (position < least ? position : least), 2n ** 62n);
  const atRest = createAlarm(tally, stopped);
  while (slowest() === 0n) await atRest(() => subscribers.filter(({ position }) => position > 0n).length);
  const before = await readProcessMemory(gateway.pid);
  tell(`${options.subscribers} subscribers are there`);

  const startedMs = performance.now();
  const troubleOver = new AbortController();
  const trouble =
    options.faultEveryMs === 0 ? 0 : makeTrouble(proxy, options.faultEveryMs, troubleOver.signal);
  const writer = startSoakWriter(direct.store, options, slowest, signal);
  // Who waits for its end below hears of its failure.
  writer.done.catch(() => {});
  const progress = setInterval(
    () => tell(describeProgress(writer.written.events, tally)),
    PROGRESS_INTERVAL_MS,
  );
  try {
    while (writer.written.events < options.events)
      await Promise.race([writer.done, atRest(() => tally.delivered)]);
    while (slowest() < writer.written.revision) await atRest(() => tally.delivered + Number(slowest()));
  } finally {
    clearInterval(progress);
    troubleOver.abort();
  }
  const seconds = (performance.now() - startedMs) / 1_000;
  const faults = await trouble;
  const after = await readProcessMemory(gateway.pid);
  running.abort();
  await Promise.all(runs);
  const { versions } = writer.written;
  for (const [i, subscriber] of subscribers.entries())
    subscriber.settle(versions[i % options.groups] ?? new Map());

  const { delivered, lost, twice, outOfOrder, resyncs, reopened, tooSlow } = tally;
  print(
    `${options.events} events at ${writer.written.revision} revisions, ${options.subscribers} subscribers in ${options.groups} groups, etcd ${etcd.version}`,
  );
  print(`${faults} faults, ${proxy.connections} connections to etcd, ${proxy.refused} refused`);
  print(`lost ${lost}, twice ${twice}, out of order ${outOfOrder}, resyncs ${resyncs}`);
  print(`streams opened again ${reopened}, ended as too slow ${tooSlow}`);
  print(`${delivered} deliveries in ${seconds.toFixed(1)} s: ${Math.round(delivered / seconds)} a second`);
  print(
    `memory of the gateway: ${before.residentMiB} MiB when all had subscribed, ${after.residentMiB} MiB at the end, ${after.peakMiB} MiB at most`,
  );
  return lost + twice + outOfOrder + resyncs === 0;
}

/** Returns a wait that rejects when what is measured has not changed for too long. */
function createAlarm(tally: Tally, signal: AbortSignal): (measure: () => number) => Promise<void> {
  let last = -1;
  let changedMs = performance.now();
  return async (measure) => {
    await delay(POLL_MS, undefined, { signal });
    const now = measure();
    if (now !== last) changedMs = performance.now();
    last = now;
    if (performance.now() - changedMs > SILENCE_MS) {
      throw new Error(`silence for ${SILENCE_MS / 1_000} s; so far ${JSON.stringify(tally)}`);
    }
  };
}

function describeProgress(events: number, { delivered, lost, twice, outOfOrder, tooSlow }: Tally): string {
  return `${events} written, ${delivered} delivered, lost ${lost}, twice ${twice}, out of order ${outOfOrder}, too slow ${tooSlow}`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}
