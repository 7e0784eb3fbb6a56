import { Code, type ConnectError, createClient } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node';
import { describe, expect, it } from 'vitest';
import { KvService } from '../../gen/concord/kv/v1/kv_service_pb.ts';
import { RetryInfoSchema } from '../../gen/google/rpc/error_details_pb.ts';
import {
  Health,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from '../../gen/grpc/health/v1/health_pb.ts';
import { eventually } from '../support/eventually.ts';
import { findEtcdProcesses } from '../support/find-processes.ts';
import { openKvClient } from '../support/kv-client.ts';
import { runConcord } from '../support/run-concord.ts';
import { type CallRecord, startCallers } from '../support/start-callers.ts';

const CALLERS = 50;
const TIMEOUT_MS = 10_000;
/** What a busy machine may add to a deadline. */
const SLACK_MS = 30_000;
/** Within this the gateway is back to its etcd, once it says that it is ready. */
const SETTLED_MS = 5_000;

describe('a gateway whose etcd is killed under load', { timeout: 300_000 }, () => {
  it('fails calls as unavailable, in time, and serves again by itself', async () => {
    await using concord = await runConcord();
    const { url } = concord;
    const [etcd] = await findEtcdProcesses(concord.dataDir);
    if (etcd === undefined) throw new Error('it runs no etcd');
    const stop = new AbortController();
    const statuses = watchHealth(url, stop.signal);
    const clients = [
      createGrpcTransport({ baseUrl: url }),
      createConnectTransport({ baseUrl: url, httpVersion: '1.1' }),
    ].map((transport) => createClient(KvService, transport));
    const callers = startCallers({
      count: CALLERS,
      call: async (caller, index) => {
        const key = `load/${caller}`;
        const kv = clients[caller % clients.length];
        const options = { timeoutMs: TIMEOUT_MS };
        await (index % 2 === 0 ? kv?.put({ key, value: String(index) }, options) : kv?.get({ key }, options));
      },
      goesOn: () => true,
    });
    await eventually(() => expect(callers.records.length).toBeGreaterThan(10 * CALLERS));

    process.kill(etcd.pid, 'SIGKILL');
    await eventually(() => expectReadyz(url, 503));
    await eventually(() => expectReadyz(url, 200));
    const settledMs = performance.now() + SETTLED_MS;
    await eventually(() => {
      const served = callers.records.filter(
        ({ startMs, error }) => startMs > settledMs && error === undefined,
      );
      expect(new Set(served.map(({ caller }) => caller)).size).toBe(CALLERS);
    }, 90_000);
    await callers.stop();

    const failed = callers.records.filter(({ error }) => error !== undefined);
    expect(failed.length).toBeGreaterThan(0);
    expect(
      [...new Set(failed.map(({ error }) => kindOf(error)))].filter((kind) => kind !== EXPECTED),
    ).toEqual([]);
    expect(Math.max(...callers.records.map(({ startMs, endMs }) => endMs - startMs))).toBeLessThan(
      TIMEOUT_MS + SLACK_MS,
    );
    // A call that begins when the etcd is back is not failed for what was before; a busy machine may well be too late for it.
    const isRefused = ({ error }: CallRecord) => error?.code !== Code.DeadlineExceeded;
    expect(failed.filter((record) => record.startMs > settledMs && isRefused(record))).toEqual([]);
    await expectConfirmed(url, callers.records);

    await eventually(() => expect(statuses).toEqual(['SERVING', 'NOT_SERVING', 'SERVING']));
    stop.abort();
    expect(await findEtcdProcesses(concord.dataDir)).toHaveLength(1);
  });
});

const EXPECTED = 'unavailable, told when to retry, or its deadline';

/** Says in words what a failure is. */
function kindOf(error: ConnectError | undefined): string {
  if (error?.code === Code.DeadlineExceeded) return EXPECTED;
  if (error?.code === Code.Unavailable && error.findDetails(RetryInfoSchema).length === 1) return EXPECTED;
  return String(error);
}

/** Reads each caller's key: it holds what was last confirmed to it, or what was sent after that. */
async function expectConfirmed(
  url: string,
  records: readonly { readonly caller: number; readonly index: number; readonly error: unknown }[],
): Promise<void> {
  const kv = openKvClient(url);
  for (let caller = 0; caller < CALLERS; caller++) {
    const confirmed = records.filter(
      (record) => record.caller === caller && record.index % 2 === 0 && record.error === undefined,
    );
    const { kv: stored } = await kv.get({ key: `load/${caller}` });
    expect(Number(stored?.value)).toBeGreaterThanOrEqual(Math.max(...confirmed.map(({ index }) => index)));
  }
}

async function expectReadyz(url: string, status: number): Promise<void> {
  const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(SLACK_MS) });
  expect(response.status).toBe(status);
}

/** Fills a list with the states that a gateway tells of itself, one after another. */
function watchHealth(url: string, signal: AbortSignal): readonly string[] {
  const statuses: string[] = [];
  const health = createClient(Health, createGrpcTransport({ baseUrl: url }));
  void (async () => {
    try {
      for await (const { status } of health.watch({}, { signal })) {
        statuses.push(status === ServingStatus.SERVING ? 'SERVING' : 'NOT_SERVING');
      }
    } catch (error) {
      if (!signal.aborted) statuses.push(`failed: ${error}`);
    }
  })();
  return statuses;
}
