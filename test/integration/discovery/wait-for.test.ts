import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Status } from '../../../gen/concord/discovery/v1/instance_pb.ts';
import { type Etcd, openEtcd } from '../../../src/etcd/open-etcd.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { openClients } from '../../support/open-clients.ts';
import { PROTOCOLS } from '../../support/protocols.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import type { DiscoveryClient } from './instance-watch.ts';
import { serviceName, writeKeys } from './stored-instances.ts';

describe('DiscoveryService.WaitFor', () => {
  let etcd: TestEtcd;
  let gateway: TestGateway;
  let other: TestGateway;
  let direct: Etcd;
  let here: DiscoveryClient;
  let there: DiscoveryClient;

  beforeAll(async () => {
    etcd = await startEtcd();
    gateway = await startGateway([etcd.endpoint]);
    other = await startGateway([etcd.endpoint]);
    direct = openEtcd({ endpoints: [etcd.endpoint] });
    here = openClients(gateway.url).discovery;
    there = openClients(other.url).discovery;
  });

  afterAll(async () => {
    await direct?.[Symbol.asyncDispose]();
    await other?.[Symbol.asyncDispose]();
    await gateway?.[Symbol.asyncDispose]();
    await etcd?.stop();
  });

  function register(service: string, instanceId: string, more: { zone?: string; status?: Status } = {}) {
    return there.register({ instance: { service, instanceId, host: 'h', port: 80, ...more } });
  }

  /** A call under way, and whether it has ended. */
  function started<T>(call: Promise<T>): { readonly call: Promise<T>; hasEnded: boolean } {
    const running = { call, hasEnded: false };
    const end = () => {
      running.hasEnded = true;
    };
    call.then(end, end);
    return running;
  }

  it.each(PROTOCOLS)('returns at once what is there over $name', async ({ open }) => {
    const { discovery } = openClients(gateway.url, open(gateway.url));
    const service = serviceName();
    const { revision } = await register(service, 'a');
    const found = await discovery.waitFor({ service });
    expect(found.instances).toMatchObject([{ service, instanceId: 'a' }]);
    expect(found.revision).toBeGreaterThanOrEqual(revision);
  });

  it('returns when there are as many as asked for', async () => {
    const service = serviceName();
    const waiting = started(here.waitFor({ service, count: 3 }));
    for (const id of ['1', '2']) await register(service, id);
    await here.discover({ service });
    expect(waiting.hasEnded).toBe(false);
    const { revision } = await register(service, '3');
    const found = await waiting.call;
    expect(found.instances.map(({ instanceId }) => instanceId)).toEqual(['1', '2', '3']);
    expect(found.revision).toBeGreaterThanOrEqual(revision);
  });

  it('counts those alone that are up and pass the filter', async () => {
    const service = serviceName();
    const filter = { zones: ['a'] };
    const waiting = started(here.waitFor({ service, count: 2, filter }));
    await register(service, '1', { zone: 'a' });
    await register(service, '2', { zone: 'b' });
    await register(service, '3', { zone: 'a', status: Status.STARTING });
    await here.discover({ service });
    expect(waiting.hasEnded).toBe(false);
    await there.setStatus({ service, instanceId: '3', status: Status.UP });
    const { instances } = await waiting.call;
    expect(instances.map(({ instanceId }) => instanceId)).toEqual(['1', '3']);
  });

  it('fails at the deadline, and as a filter that cannot be read', async () => {
    const service = serviceName();
    await register(service, '1');
    const late = here.waitFor({ service, count: 2 }, { timeoutMs: 1_000 });
    await expect(late).rejects.toMatchObject({ code: 4 });
    const wrong = here.waitFor({ service, filter: { expression: 'port >' } });
    expect(await failureOf(wrong)).toMatchObject({ code: 'InvalidArgument', reason: 'FILTER_INVALID' });
  });

  it('leaves nothing behind when its caller gives up', async () => {
    const controller = new AbortController();
    const calls = Array.from({ length: 50 }, () =>
      started(here.waitFor({ service: serviceName() }, { signal: controller.signal })),
    );
    await eventually(async () => expect(await waitingAt(gateway)).toBe(50));
    controller.abort();
    await eventually(() => expect(calls.every(({ hasEnded }) => hasEnded)).toBe(true));
    await eventually(async () => expect(await waitingAt(gateway)).toBe(0));
  });

  it('answers many who wait for one service, without asking etcd for each change of others', async () => {
    const [service, noisy] = [serviceName(), serviceName()];
    const clients = Array.from({ length: 4 }, () => openClients(gateway.url).discovery);
    const calls = Array.from({ length: 200 }, (_, i) =>
      started((clients[i % 4] ?? here).waitFor({ service, count: 2 })),
    );
    await register(service, '1');
    await eventually(async () => expect(await waitingAt(gateway)).toBe(200));
    const value = JSON.stringify({ host: 'h', port: 80 });
    const before = await rangesOf(etcd);
    let last = 0n;
    for (let i = 0; i < 50; i++) last = await writeKeys(direct.store, { [`${noisy}/${i}`]: value });
    await here.discover({ service: noisy, minRevision: last });
    expect((await rangesOf(etcd)) - before).toBeLessThan(200);
    await register(service, '2');
    for (const { instances } of await Promise.all(calls.map(({ call }) => call)))
      expect(instances).toHaveLength(2);
  });
});

/** How many reads an etcd was asked for. */
function rangesOf({ endpoint }: TestEtcd): Promise<number> {
  return metricOf(endpoint, /^grpc_server_handled_total\{grpc_code="OK",grpc_method="Range".*\} (\d+)$/m);
}

/** How many calls are waiting. */
function waitingAt({ url }: TestGateway): Promise<number> {
  return metricOf(url, /^concord_rpc_in_flight\{.*WaitFor.*\} (\d+)$/m);
}

async function metricOf(url: string, metric: RegExp): Promise<number> {
  const response = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(30_000) });
  return Number(metric.exec(await response.text())?.[1] ?? 0);
}
