import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { etcdWatchMetrics, GATEWAY_WATCHES } from '../../support/etcd-watch-metrics.ts';
import { eventually } from '../../support/eventually.ts';
import { openClients } from '../../support/open-clients.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { openConfigWatch } from './config-watch.ts';

const WATCHERS = 500;
const CONNECTIONS = 20;
const PUBLISHES = 5;

describe('many watches of one application', () => {
  let etcd: TestEtcd;
  let gateways: readonly TestGateway[];

  beforeAll(async () => {
    etcd = await startEtcd();
    gateways = [await startGateway([etcd.endpoint]), await startGateway([etcd.endpoint])];
  });

  afterAll(async () => {
    for (const gateway of gateways ?? []) await gateway[Symbol.asyncDispose]();
    await etcd?.stop();
  });

  it(`share one watch at etcd of each gateway, and all ${WATCHERS} get the same`, async () => {
    const application = randomUUID();
    const clients = Array.from(
      { length: CONNECTIONS },
      (_, i) => openClients(gateways[i % gateways.length]?.url ?? '').config,
    );
    const [client] = clients;
    if (client === undefined) return expect.fail();
    await client.put({ application, key: 'base', value: '0' });
    await using opened = new AsyncDisposableStack();
    const watches = Array.from({ length: WATCHERS }, (_, i) =>
      opened.use(
        openConfigWatch(clients[i % CONNECTIONS] ?? client, {
          application,
          profiles: ['prod'],
          effective: i % 3 === 0,
          everySeconds: 3_600,
        }),
      ),
    );
    await Promise.all(watches.map((watch) => watch.opened));
    const { watchers } = await etcdWatchMetrics(etcd.endpoint);
    expect(watchers).toBe(gateways.length * (GATEWAY_WATCHES + 1));

    const published: bigint[] = [];
    for (let i = 1; i <= PUBLISHES; i++) {
      const puts = ['a', 'b'].map((key) => ({ key, value: String(i) }));
      const profile = i % 2 === 0 ? 'prod' : 'default';
      published.push((await client.publish({ application, profile, puts })).revision);
    }
    const told = (effective: boolean) =>
      watches.filter((_, i) => (i % 3 === 0) === effective).map((watch) => watch.changes());
    const plain = [1, 2, 3, 4, 5].flatMap((i) =>
      ['a', 'b'].map((key) => {
        const [profile, version] = i % 2 === 0 ? ['prod', i / 2] : ['default', (i + 1) / 2];
        const line = `${profile}/${key}@${version}=${i}`;
        return version === 1
          ? `CREATED ${line}`
          : `UPDATED ${line} < ${profile}/${key}@${version - 1}=${i - 2}`;
      }),
    );
    const effective = [
      'CREATED default/a@1=1',
      'CREATED default/b@1=1',
      'UPDATED prod/a@1=2 < default/a@1=1',
      'UPDATED prod/b@1=2 < default/b@1=1',
      'UPDATED prod/a@2=4 < prod/a@1=2',
      'UPDATED prod/b@2=4 < prod/b@1=2',
    ];
    const last = published.at(-1) ?? 0n;
    await eventually(() => {
      for (const watch of watches) expect(watch.messages.at(-1)?.revision).toBe(last);
    }, 30_000);
    for (const changes of told(false)) expect(changes).toEqual(plain);
    for (const changes of told(true)) expect(changes).toEqual(effective);
    expect((await etcdWatchMetrics(etcd.endpoint)).watchers).toBe(watchers);
  }, 90_000);
});
