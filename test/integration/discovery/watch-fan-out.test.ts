import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Etcd, openEtcd } from '../../../src/etcd/open-etcd.ts';
import { etcdWatchMetrics } from '../../support/etcd-watch-metrics.ts';
import { eventually } from '../../support/eventually.ts';
import { openClients } from '../../support/open-clients.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { openInstanceWatch } from './instance-watch.ts';
import { serviceName, writeKeys } from './stored-instances.ts';

const WATCHERS = 1_000;
const CONNECTIONS = 20;
const VALUE = JSON.stringify({ host: 'h', port: 80 });

describe('many watches of instances', () => {
  let etcd: TestEtcd;
  let gateway: TestGateway;
  let direct: Etcd;

  beforeAll(async () => {
    etcd = await startEtcd();
    gateway = await startGateway([etcd.endpoint]);
    direct = openEtcd({ endpoints: [etcd.endpoint] });
  });

  afterAll(async () => {
    await direct?.[Symbol.asyncDispose]();
    await gateway?.[Symbol.asyncDispose]();
    await etcd?.stop();
  });

  it(`share one watch at etcd, ${WATCHERS} of one service, of another and of all, with what Discover reads`, async () => {
    const services = [serviceName(), serviceName()] as const;
    const clients = Array.from({ length: CONNECTIONS }, () => openClients(gateway.url).discovery);
    const [client] = clients;
    if (client === undefined) return expect.fail();
    // What is in memory is followed from the first question on.
    await client.discover({ service: services[0] });
    const { watchers: before } = await etcdWatchMetrics(etcd.endpoint);
    await using opened = new AsyncDisposableStack();
    const requests = [{ service: services[0] }, { service: services[1] }, {}];
    const watches = Array.from({ length: WATCHERS }, (_, i) =>
      opened.use(
        openInstanceWatch(clients[i % CONNECTIONS] ?? client, { ...requests[i % 3], everySeconds: 60 }),
      ),
    );
    await Promise.all(watches.map((watch) => watch.opened));
    for (let i = 0; i < 5; i++)
      await writeKeys(direct.store, { [`${services[0]}/${i}`]: VALUE, [`${services[1]}/${i}`]: VALUE });
    await eventually(() => {
      for (const [i, watch] of watches.entries()) expect(watch.changes()).toHaveLength(i % 3 === 2 ? 10 : 5);
    }, 60_000);
    expect((await etcdWatchMetrics(etcd.endpoint)).watchers).toBe(before);
    expect((await client.discover({ service: services[0] })).instances).toHaveLength(5);
  }, 240_000);
});
