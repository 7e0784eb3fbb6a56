import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Consistency } from '../../../gen/concord/kv/v1/reading_pb.ts';
import type { KeyValueStore } from '../../../src/domain/store.ts';
import { type Etcd, openEtcd } from '../../../src/etcd/open-etcd.ts';
import { compact } from '../../support/etcd-watch-metrics.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { openClients } from '../../support/open-clients.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { startFaultyGateway } from '../watch/start-faulty-gateway.ts';
import type { DiscoveryClient } from './instance-watch.ts';
import { namesAndRevisions, serviceName, storedInstances, writeKeys } from './stored-instances.ts';

const VALUE = JSON.stringify({ host: 'h', port: 80 });
const SERIALIZABLE = Consistency.SERIALIZABLE;
const keysOf = (service: string, ids: readonly (string | number)[], value: string | undefined = VALUE) =>
  Object.fromEntries(ids.map((id) => [`${service}/${id}`, value]));
const goneOf = (service: string, ids: readonly (string | number)[]) =>
  Object.fromEntries(ids.map((id) => [`${service}/${id}`, undefined]));

describe('what a gateway knows of the instances', () => {
  let etcd: TestEtcd;
  let direct: Etcd;

  beforeAll(async () => {
    etcd = await startEtcd();
    direct = openEtcd({ endpoints: [etcd.endpoint] });
  });

  afterAll(async () => {
    await direct?.[Symbol.asyncDispose]();
    await etcd?.stop();
  });

  /** Linearizable at once; serializable at the revision of that, and by itself in the end. */
  async function expectKnown(
    discovery: DiscoveryClient,
    service: string,
    store: KeyValueStore = direct.store,
  ): Promise<void> {
    const linearizable = await discovery.discover({ service });
    const stored = await storedInstances(store, service);
    expect(namesAndRevisions(linearizable.instances)).toEqual(stored);
    const { revision: minRevision } = linearizable;
    const atLeast = await discovery.discover({ service, minRevision, consistency: SERIALIZABLE });
    expect(namesAndRevisions(atLeast.instances)).toEqual(stored);
    await eventually(async () => {
      const { instances } = await discovery.discover({ service, consistency: SERIALIZABLE });
      expect(namesAndRevisions(instances)).toEqual(stored);
    });
    const { services } = await discovery.listServices({ prefix: service });
    expect(services.map(({ instanceCount }) => instanceCount)).toEqual(
      stored.length === 0 ? [] : [stored.length],
    );
  }

  it('is what etcd has after etcd was killed and started again', async () => {
    await using own = await startEtcd();
    await using adapter = openEtcd({ endpoints: [own.endpoint] });
    await using gateway = await startGateway([own.endpoint]);
    const { discovery } = openClients(gateway.url);
    const service = serviceName();
    await writeKeys(adapter.store, keysOf(service, [1, 2, 3]));
    await expectKnown(discovery, service, adapter.store);
    for (let round = 0; round < 2; round++) {
      await own.kill();
      await own.restart();
      await eventually(() => writeKeys(adapter.store, keysOf(service, [1, `new-${round}`])));
      await writeKeys(adapter.store, goneOf(service, [2]));
      await eventually(() => expectKnown(discovery, service, adapter.store));
    }
  }, 180_000);

  it('is what etcd has after the gateway was cut off, and nothing that changed was compacted', async () => {
    await using faulty = await startFaultyGateway(etcd);
    const { discovery } = openClients(faulty.gateway.url);
    const service = serviceName();
    await writeKeys(direct.store, keysOf(service, [1, 2, 3]));
    await expectKnown(discovery, service);
    faulty.proxy.refuse();
    faulty.proxy.cut();
    await writeKeys(direct.store, keysOf(service, [1, 4]));
    await writeKeys(direct.store, goneOf(service, [2, 3]));
    faulty.proxy.accept();
    await eventually(() => expectKnown(discovery, service));
  }, 120_000);

  it('is what etcd has after the changes were compacted away while the gateway was cut off', async () => {
    await using faulty = await startFaultyGateway(etcd);
    const { discovery } = openClients(faulty.gateway.url);
    const service = serviceName();
    const emptied = serviceName();
    await writeKeys(direct.store, { ...keysOf(service, [1, 2, 3]), ...keysOf(emptied, [1]) });
    await expectKnown(discovery, service);
    await expectKnown(discovery, emptied);
    for (let round = 0; round < 2; round++) {
      faulty.proxy.refuse();
      faulty.proxy.cut();
      await writeKeys(direct.store, keysOf(service, [1, `new-${round}`, 2]));
      const revision = await writeKeys(direct.store, { ...goneOf(service, [2, 3]), ...goneOf(emptied, [1]) });
      await compact(etcd.endpoint, revision);
      faulty.proxy.accept();
      await eventually(() => expectKnown(discovery, service));
      await eventually(() => expectKnown(discovery, emptied));
    }
  }, 180_000);

  it('is what another cluster has that has taken the place of its own', async () => {
    await using another = await startEtcd();
    await using adapter = openEtcd({ endpoints: [another.endpoint] });
    await using faulty = await startFaultyGateway(etcd);
    const { discovery } = openClients(faulty.gateway.url);
    const service = serviceName();
    await writeKeys(direct.store, keysOf(service, [1, 2, 3]));
    await expectKnown(discovery, service);
    await writeKeys(adapter.store, keysOf(service, [3, 4]));
    faulty.proxy.retarget(another.port);
    faulty.proxy.cut();
    await eventually(() => expectKnown(discovery, service, adapter.store));
  }, 120_000);

  it('is told promptly where other keys stand beside a service, or its name is not UTF-8', async () => {
    await using gateway = await startGateway([etcd.endpoint]);
    const { discovery, kv } = openClients(gateway.url);
    const service = serviceName();
    await discovery.discover({ service });
    await kv.put({ key: `/services/${service}`, value: VALUE });
    await kv.put({ key: '/services/', value: VALUE });
    await kv.put({
      keyBytes: Buffer.concat([Buffer.from(`/services/${service}`), Buffer.of(0xff, 0x2f, 0x61)]),
      value: VALUE,
    });
    await kv.put({ key: `/services/${service}/a`, value: VALUE });
    for (const [name, count] of [
      [service, 1],
      [`${service}�`, 0],
    ] as const) {
      // Its memory is not at the newest revision by itself.
      await kv.put({ key: `test/${service}` });
      const signal = AbortSignal.timeout(2_500);
      const { instances, invalidEntries } = await discovery.discover({ service: name }, { signal });
      expect(instances).toHaveLength(count);
      expect(invalidEntries).toEqual([]);
    }
    const { services } = await discovery.listServices({ prefix: service });
    expect(services.map(({ name }) => name)).toEqual([service]);
  });

  it('goes on where a value is as strange as can be', async () => {
    await using gateway = await startGateway([etcd.endpoint]);
    const { discovery } = openClients(gateway.url);
    const service = serviceName();
    const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
    await writeKeys(direct.store, keysOf(service, ['good']));
    expect((await discovery.discover({ service })).instances).toHaveLength(1);
    const values = [
      '{"host":"h","port":{"toString":1,"valueOf":1}}',
      `{"host":"h","port":1,"deep":${deep}}`,
      '{"host":"h","port":1,"__proto__":{"a":1},"metadata":{"__proto__":"x"}}',
      '{"host":"\\ud800","port":1}',
    ];
    for (const [i, value] of values.entries()) {
      await writeKeys(direct.store, keysOf(service, [`strange-${i}`], value));
      const signal = AbortSignal.timeout(3_000);
      const { instances } = await discovery.discover({ service }, { signal });
      expect(instances.map(({ instanceId }) => instanceId)).toContain('good');
    }
  });

  it('fails as the store does, and not at the deadline alone, while it was never told anything', async () => {
    await using own = await startEtcd();
    await using gateway = await startGateway([own.endpoint]);
    const { discovery } = openClients(gateway.url);
    await own.kill();
    const signal = AbortSignal.timeout(20_000);
    expect(await failureOf(discovery.discover({ service: 's' }, { signal }))).toMatchObject({
      code: 'Unavailable',
      reason: 'STORE_UNAVAILABLE',
      hasRetryInfo: true,
    });
    await own.restart();
    await eventually(() => discovery.discover({ service: 's' }));
  }, 120_000);
});
