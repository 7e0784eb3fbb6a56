import { setTimeout as delay } from 'node:timers/promises';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { describe, expect, it } from 'vitest';
import { Health } from '../../gen/grpc/health/v1/health_pb.ts';
import { fetchMetrics, readMetrics } from '../bench/peers/metrics.ts';
import { awaitProcessEnd } from '../support/await-process-end.ts';
import { eventually } from '../support/eventually.ts';
import { exchangeBytes } from '../support/exchange-bytes.ts';
import { failuresOf } from '../support/failure-of.ts';
import { findEtcdProcesses } from '../support/find-processes.ts';
import { listKeys, openKvClient } from '../support/kv-client.ts';
import { openClients } from '../support/open-clients.ts';
import { type RunningConcord, runConcord, spawnConcord } from '../support/run-concord.ts';
import { openPlacedClients, workersOf } from '../support/workers-of.ts';

const TWO = { CONCORD_WORKERS: '2' };
/** As long as may be: what ends has ended by itself, however slow the machine is. */
const PATIENT = { ...TWO, CONCORD_DRAIN_TIMEOUT: '10m', CONCORD_REQUEST_TIMEOUT: '10m', ETCD_TIMEOUT: '1m' };
/** What a busy machine may take to start a process. */
const START_MS = 60_000;

describe('two workers', { timeout: 300_000 }, () => {
  it('serve on one port, see the same keys, and count together', async () => {
    await using concord = await runConcord({ args: ['--workers=2'] });
    expect(concord.stdout).toContain('\n  workers    2\n');
    expect([...workersOf(concord).keys()]).toEqual([1, 2]);
    const clients = await openPlacedClients(concord.url, 2);
    expect(new Set(clients.map(({ worker }) => worker)).size).toBe(2);

    const labels = { rpc: 'concord.kv.v1.KvService/Put', protocol: 'grpc' };
    for (const [index, { kv }] of clients.entries()) await kv.put({ key: `of/${index}`, value: 'x' });
    for (const { kv } of clients) expect((await listKeys(kv, 'of/')).size).toBe(clients.length);
    // Each of these asks another worker.
    for (let asked = 0; asked < 4; asked++) {
      const metrics = await eventually(async () => {
        const told = await metricsOf(concord);
        expect(told.sum('concord_workers')).toBe(2);
        return told;
      });
      expect(metrics.sum('concord_rpc_started_total', labels)).toBe(clients.length);
      expect(metrics.sum('concord_rpc_duration_seconds_count', labels)).toBe(clients.length);
      expect(metrics.sum('concord_connections')).toBeGreaterThan(clients.length);
    }
    // A replica each, so that they share what they do for leases.
    await eventually(async () => expect(await replicasOf(concord)).toHaveLength(2));
    const logged = concord.stderr.match(/"worker":\d,"msg":"ready"/g);
    expect(new Set(logged).size).toBe(2);
  });

  it('tell watches of writes through the other', async () => {
    await using concord = await runConcord({ env: TWO });
    const clients = await openPlacedClients(concord.url, 2);
    const stop = new AbortController();
    const watches = clients.map(({ kv }) => {
      const seen: string[] = [];
      const begun = Promise.withResolvers<void>();
      const ended = (async () => {
        for await (const { events } of kv.watch({ prefix: 'seen/' }, stop)) {
          begun.resolve();
          seen.push(...events.flatMap(({ kv: changed }) => changed?.value ?? []));
        }
      })().catch((error: unknown) => {
        if (!stop.signal.aborted) throw error;
      });
      return { seen, begun: begun.promise, ended };
    });
    // The first message says from where on it tells all.
    await Promise.all(watches.map(({ begun, ended }) => Promise.race([begun, ended])));
    const written: string[] = [];
    for (const [index, { kv }] of clients.entries()) {
      await kv.put({ key: 'seen/one', value: String(index) });
      written.push(String(index));
    }
    await eventually(() => {
      for (const { seen } of watches) expect(seen.slice(-written.length)).toEqual(written);
    });
    stop.abort();
    await Promise.all(watches.map(({ ended }) => ended));
  });

  it('end their streams when they are stopped, and then their etcd', async () => {
    await using concord = await runConcord({ env: PATIENT });
    const streams = await openHealthWatches(concord.url, 6);
    const pids = [...workersOf(concord).values()];
    concord.signal('SIGTERM');
    const failures = await failuresOf(streams.map(readToEnd));
    expect(new Set(failures.map(({ code, reason }) => `${code} ${reason}`))).toEqual(
      new Set(['Unavailable SHUTTING_DOWN']),
    );
    expect(await concord.exited).toEqual({ code: 0, signal: null });
    await Promise.all(pids.map(awaitProcessEnd));
    expect(await findEtcdProcesses(concord.dataDir)).toEqual([]);
  });

  it('stop when the signal reaches them as well, and as one', async () => {
    await using concord = await runConcord({ env: PATIENT });
    const streams = await openHealthWatches(concord.url, 6);
    for (const pid of workersOf(concord).values()) process.kill(pid, 'SIGINT');
    concord.signal('SIGINT');
    const failures = await failuresOf(streams.map(readToEnd));
    expect(new Set(failures.map(({ reason }) => reason))).toEqual(new Set(['SHUTTING_DOWN']));
    expect(await concord.exited).toEqual({ code: 0, signal: null });
  });

  it('end at once, with code 1, when it is told so again later', async () => {
    await using concord = await runConcord({ env: PATIENT });
    const pids = [...workersOf(concord).values()];
    // One that is paused never ends its drain.
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    concord.signal('SIGTERM');
    await eventually(() => expect(concord.stderr).toContain('draining'));
    await delay(1_500);
    concord.signal('SIGTERM');
    await Promise.all(pids.map(awaitProcessEnd));
    expect(await concord.exited).toEqual({ code: 1, signal: null });
  });

  it('end with a primary that is killed, and so does the etcd', async () => {
    await using concord = await runConcord({ env: PATIENT });
    const pids = [...workersOf(concord).values()];
    const etcds = await findEtcdProcesses(concord.dataDir);
    expect(etcds).toHaveLength(1);
    concord.signal('SIGKILL');
    await Promise.all([...pids, ...etcds.map(({ pid }) => pid)].map(awaitProcessEnd));
    expect(await concord.exited).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it('are not started where the address is taken: one line says so', async () => {
    await using first = await runConcord();
    await using second = await spawnConcord({
      env: { ...TWO, CONCORD_LISTEN: new URL(first.url).host },
    });
    expect(await second.exited).toEqual({ code: 1, signal: null });
    const lines = second.stderr.trimEnd().split('\n');
    expect(lines.at(-1)).toBe(
      `concord: Cannot listen on ${new URL(first.url).host}: another process listens there already; stop it, or choose another port`,
    );
    expect(lines.filter((line) => line.startsWith('concord:'))).toHaveLength(1);
    expect(await findEtcdProcesses(second.dataDir)).toEqual([]);
  });
});

describe('a worker that hangs', { timeout: 300_000 }, () => {
  it('is not counted, and does not keep the others from telling their metrics', async () => {
    await using concord = await runConcord({ env: { ...PATIENT, CONCORD_WORKERS: '3' } });
    const pid = workersOf(concord).get(3) ?? 0;
    process.kill(pid, 'SIGSTOP');
    await eventually(async () => {
      // One connection at most is handed to it, and waits.
      const waiting = new AbortController();
      const asked = Array.from({ length: 3 }, async () => {
        const answer = await fetch(`${concord.url}/metrics`, waiting);
        return readMetrics(await answer.text()).sum('concord_workers');
      });
      const counted = await Promise.any(asked);
      waiting.abort();
      await Promise.allSettled(asked);
      expect(counted).toBe(2);
    });
    process.kill(pid, 'SIGCONT');
    await eventually(async () => expect((await metricsOf(concord)).sum('concord_workers')).toBe(3));
  });
});

describe('a worker that is killed', { timeout: 300_000 }, () => {
  it('takes its own calls with it alone, and another comes in its place', async () => {
    await using concord = await runConcord({ env: PATIENT });
    const clients = await openPlacedClients(concord.url, 2);
    const { leases } = openClients(concord.url);
    for (let count = 0; count < 8; count++) await leases.grant({ ttl: { seconds: 60n }, autoRenew: true });
    await eventually(async () =>
      expect((await metricsOf(concord)).sum('concord_leases_auto_renewed')).toBe(8),
    );
    const replicas = await eventually(async () => {
      const found = await replicasOf(concord);
      expect(found).toHaveLength(2);
      return found;
    });
    const watches = clients.map(({ kv, worker }) => {
      const watch = { worker, error: undefined as unknown };
      const messages = kv.watch({ prefix: 'killed/' })[Symbol.asyncIterator]();
      return Object.assign(watch, { first: messages.next(), messages });
    });
    await Promise.all(watches.map(({ first }) => first));
    const stop = new AbortController();
    const ended = watches.map(async (watch) => {
      try {
        while (!stop.signal.aborted && !(await watch.messages.next()).done);
      } catch (error) {
        watch.error = error;
      }
    });
    const killed = workersOf(concord).get(1) ?? 0;
    process.kill(killed, 'SIGKILL');

    await eventually(() => expect(workersOf(concord).get(1)).not.toBe(killed));
    await eventually(async () => expect((await metricsOf(concord)).sum('concord_workers')).toBe(2), START_MS);
    expect(concord.stderr).toMatch(
      new RegExp(`"worker":1,"pid":${killed},"cause":"it was ended by SIGKILL".*another takes its place`),
    );
    // All of its watches have failed, as those of a gateway that is killed do, and none of the other's.
    await eventually(() =>
      expect(new Set(watches.filter(({ error }) => error).map(({ worker }) => worker)).size).toBe(1),
    );
    const lost = watches.find(({ error }) => error !== undefined)?.worker;
    await eventually(() => {
      for (const { worker, error } of watches) {
        if (worker !== lost) expect(error).toBeUndefined();
        else expect([Code.Unavailable, Code.Aborted, Code.Canceled]).toContain(ConnectError.from(error).code);
      }
    });
    const places = new Set((await openPlacedClients(concord.url, 2)).map(({ worker }) => worker));
    expect(places.size).toBe(2);
    expect(places).not.toContain(lost);
    // Its leases are renewed by the others, as those of a replica that died.
    await eventually(async () => {
      const present = await replicasOf(concord);
      expect(present).toHaveLength(2);
      expect(present).not.toEqual(replicas);
      expect((await metricsOf(concord)).sum('concord_leases_auto_renewed')).toBe(8);
    });

    stop.abort();
    concord.signal('SIGTERM');
    expect(await concord.exited).toEqual({ code: 0, signal: null });
    await Promise.all(ended);
  });

  it('leaves the port to those that come, also when no other is left', async () => {
    await using concord = await runConcord({ env: PATIENT });
    const pids = [...workersOf(concord).values()];
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await eventually(async () => expect((await metricsOf(concord)).sum('concord_workers')).toBe(2), START_MS);
    for (const pid of workersOf(concord).values()) expect(pids).not.toContain(pid);
    const { revision } = await openKvClient(concord.url).put({ key: 'after', value: 'x' });
    expect(revision).toBeGreaterThan(0n);
    concord.signal('SIGTERM');
    expect(await concord.exited).toEqual({ code: 0, signal: null });
  });

  it('is given up, and the gateway with it, when what comes in its place dies again and again', async () => {
    await using concord = await runConcord({ env: PATIENT });
    const killed = new Set<number>();
    const killing = setInterval(() => {
      const pid = workersOf(concord).get(2);
      if (pid === undefined || killed.has(pid)) return;
      killed.add(pid);
      isSignalled(pid, 'SIGKILL');
    }, 5);
    const exit = await concord.exited.finally(() => clearInterval(killing));
    expect(exit).toEqual({ code: 1, signal: null });
    expect(concord.stderr.trimEnd().split('\n').at(-1)).toBe(
      'concord: gave up on worker 2 after 5 deaths in a row; the last: it was ended by SIGKILL',
    );
    await Promise.all([...workersOf(concord).values()].map(awaitProcessEnd));
    expect(await findEtcdProcesses(concord.dataDir)).toEqual([]);
  });

  it('does not hold a connection that it was handed and had not seen', async () => {
    await using concord = await runConcord({ env: PATIENT });
    const pid = workersOf(concord).get(1) ?? 0;
    process.kill(pid, 'SIGSTOP');
    const { port } = new URL(concord.url);
    const answers: string[] = [];
    const asked = Array.from({ length: 8 }, () =>
      exchangeBytes(Number(port), 'GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n').then(
        (answer) => answers.push(answer.toString('latin1', 0, 15)),
      ),
    );
    // It is handed one at most; the other worker answers the rest.
    await eventually(() => expect(answers.length).toBeGreaterThanOrEqual(asked.length - 1));
    expect(new Set(answers)).toEqual(new Set(['HTTP/1.1 200 OK']));
    process.kill(pid, 'SIGKILL');
    await Promise.all(asked);
  });
});

function metricsOf({ url }: RunningConcord) {
  return fetchMetrics(Number(new URL(url).port), { signal: AbortSignal.timeout(START_MS) });
}

async function replicasOf({ url }: RunningConcord): Promise<readonly string[]> {
  return [...(await listKeys(openKvClient(url), '/concord/lease/replica/'))];
}

type HealthWatch = AsyncIterator<unknown>;

/** Watches of the health of the gateway, each on a connection of its own and begun. */
async function openHealthWatches(url: string, count: number): Promise<readonly HealthWatch[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const health = createClient(Health, createGrpcTransport({ baseUrl: url }));
      const updates = health.watch({})[Symbol.asyncIterator]();
      expect((await updates.next()).done).toBe(false);
      return updates;
    }),
  );
}

async function readToEnd(updates: HealthWatch): Promise<void> {
  while (!(await updates.next()).done);
}

/** Sends a signal; false: there is no such process any more. */
function isSignalled(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}
