// soak: a gateway whose connection to etcd breaks again and again, and many subscribers that must not notice; then many clients
// that raise counters under locks while members, connections and gateways go wrong; then many that read and write the same keys; then calls
// that are answered past the library of Connect and by it.
// Figures go to stdout, progress to stderr. 0 where nothing was lost, came twice, out of order or wrong; 1 else; 2 for a wrong command line.

import { setTimeout as delay } from 'node:timers/promises';
import { openEtcd } from '../../src/etcd/open-etcd.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { openKvClient } from '../support/kv-client.ts';
import { runConcord } from '../support/run-concord.ts';
import { startEtcd } from '../support/start-etcd.ts';
import { makeTrouble } from './make-trouble.ts';
import { parseSoakOptions, SOAK_HELP, type SoakOptions, UsageError } from './options.ts';
import { readProcessMemory } from './process-memory.ts';
import { createCallsSoak } from './soak-calls.ts';
import { soakLocks } from './soak-locks.ts';
import { soakRegisters } from './soak-registers.ts';
import { createTally, SoakSubscriber, type Tally } from './soak-subscriber.ts';
import { prefixOfGroup, startSoakWriter } from './soak-writer.ts';

const PROGRESS_INTERVAL_MS = 5_000;
/** How long nothing may be told before the run is given up. */
const SILENCE_MS = 60_000;
const POLL_MS = 50;
/** Etcd's own quota of 2 GiB is less than a million events may take. */
const ROOM_FOR_HISTORY = '--quota-backend-bytes=8589934592';

process.exitCode = await main();

async function main(): Promise<number> {
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.on(name, () => stop.abort(new Error(`stopped by ${name}`)));
  try {
    const options = parseSoakOptions(process.argv.slice(2));
    if (options !== undefined) return (await soakAll(options, stop.signal)) ? 0 : 1;
    print(SOAK_HELP);
    return 0;
  } catch (error) {
    tell(`soak: ${error instanceof Error ? error.message : String(error)}`);
    return error instanceof UsageError ? 2 : 1;
  }
}

async function soakAll(options: SoakOptions, stopped: AbortSignal): Promise<boolean> {
  let isFine = await soak(options, stopped);
  const { acquisitions, operations, calls, seed, etcdBinary } = options;
  const parts = [
    { name: 'locks', size: acquisitions, run: soakLocks },
    { name: 'registers', size: operations, run: soakRegisters },
    { name: 'calls', size: calls, run: createCallsSoak(seed) },
  ];
  for (const { name, size, run } of parts) {
    if (size === 0) continue;
    tell(`and now ${name}`);
    const outcome = await run(size, etcdBinary, stopped);
    for (const line of outcome.lines) print(line);
    isFine &&= outcome.isFine;
  }
  return isFine;
}

/** Returns whether every subscriber was told everything, once and in order. */
async function soak(options: SoakOptions, stopped: AbortSignal): Promise<boolean> {
  const { etcdBinary: binary, groups, faultEveryMs } = options;
  await using etcd = await startEtcd({ binary, args: [ROOM_FOR_HISTORY] });
  await using proxy = await startFaultProxy(etcd.port);
  await using direct = openEtcd({ endpoints: [etcd.endpoint] });
  const env = {
    ETCD_ENDPOINTS: proxy.endpoint,
    CONCORD_LOG_LEVEL: 'error',
    CONCORD_WATCH_HISTORY_BYTES: String(options.historyBytes),
  };
  await using gateway = await runConcord({ env });
  tell(`etcd ${etcd.version}, the gateway is process ${gateway.pid}`);

  const tally = createTally();
  const alarm = createAlarm(tally, stopped);
  await using subscribing = startSubscribers(options, gateway.url, tally);
  const { subscribers } = subscribing;
  const countThere = () => subscribers.filter(({ position }) => position > 0n).length;
  while (countThere() < subscribers.length) await alarm.watch(countThere);
  const before = await readProcessMemory(gateway.pid);
  tell(`${subscribers.length} subscribers are there`);

  const startedMs = performance.now();
  const over = new AbortController();
  const trouble = faultEveryMs === 0 ? 0 : makeTrouble(proxy, faultEveryMs, over.signal);
  const slowest = () =>
    subscribers.reduce((least, { position }) => (position < least ? position : least), 2n ** 62n);
  const writer = startSoakWriter(direct.store, options, slowest, AbortSignal.any([over.signal, stopped]));
  const isBehind = ({ position }: SoakSubscriber, i: number) =>
    position < (writer.written.revisions[i % groups] ?? 0n);
  const progress = setInterval(
    () => tell(describeProgress(writer.written.events, tally)),
    PROGRESS_INTERVAL_MS,
  );
  try {
    while (writer.written.events < options.events) {
      await Promise.race([writer.failed, alarm.watch(() => tally.delivered)]);
    }
    while (subscribers.some(isBehind)) await alarm.watch(() => tally.delivered);
  } finally {
    clearInterval(progress);
    over.abort();
  }
  const seconds = (performance.now() - startedMs) / 1_000;
  const faults = await trouble;
  const after = await readProcessMemory(gateway.pid);
  const { versions, revision } = writer.written;
  for (const [i, subscriber] of subscribers.entries()) subscriber.settle(versions[i % groups] ?? new Map());

  const { delivered, lost, twice, outOfOrder, resyncs, reopened, tooSlow } = tally;
  print(`etcd ${etcd.version}: ${options.events} events at ${revision} revisions`);
  print(`${subscribers.length} subscribers in ${groups} groups`);
  print(`${faults} faults, ${proxy.connections} connections to etcd, ${proxy.refused} refused`);
  print(`lost ${lost}, twice ${twice}, out of order ${outOfOrder}, resyncs ${resyncs}`);
  print(`streams opened again ${reopened}, ended as too slow ${tooSlow}`);
  print(`nothing came for ${Math.round(alarm.longestMs)} ms at most`);
  print(`${delivered} deliveries in ${seconds.toFixed(1)} s: ${Math.round(delivered / seconds)} a second`);
  print(`memory of the gateway when all had subscribed ${before.residentMiB} MiB,`);
  print(`at the end ${after.residentMiB} MiB, at most ${after.peakMiB} MiB`);
  return lost + twice + outOfOrder + resyncs === 0;
}

/** Starts all subscribers; disposing ends them. */
function startSubscribers(
  { subscribers: count, groups, connections }: SoakOptions,
  url: string,
  tally: Tally,
) {
  const controller = new AbortController();
  const clients = Array.from({ length: connections }, () => openKvClient(url));
  const subscribers = Array.from(
    { length: count },
    (_, i) => new SoakSubscriber(prefixOfGroup(i % groups), tally),
  );
  const runs = subscribers.map((subscriber, i) =>
    subscriber.run(clients[i % connections] ?? openKvClient(url), controller.signal),
  );
  return {
    subscribers,
    async [Symbol.asyncDispose]() {
      controller.abort();
      await Promise.all(runs);
    },
  };
}

/** Sees to it that something goes on. */
interface Alarm {
  /** The longest time, in milliseconds, in which what was watched did not change. */
  readonly longestMs: number;
  /** Waits a moment. Rejects when what is measured has not changed for too long. */
  watch(measure: () => number): Promise<void>;
}

function createAlarm(tally: Tally, signal: AbortSignal): Alarm {
  let last = -1;
  let changedMs = performance.now();
  let longestMs = 0;
  return {
    get longestMs() {
      return longestMs;
    },
    async watch(measure) {
      await delay(POLL_MS, undefined, { signal });
      const now = measure();
      if (now !== last) changedMs = performance.now();
      last = now;
      longestMs = Math.max(longestMs, performance.now() - changedMs);
      if (longestMs > SILENCE_MS)
        throw new Error(`silence for ${SILENCE_MS} ms; so far ${JSON.stringify(tally)}`);
    },
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
