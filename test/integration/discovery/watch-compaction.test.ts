import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WatchResponse_Kind as Kind } from '../../../gen/concord/discovery/v1/discovery_service_pb.ts';
import { compact } from '../../support/etcd-watch-metrics.ts';
import { eventually } from '../../support/eventually.ts';
import { openClients } from '../../support/open-clients.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { startFaultyGateway } from '../watch/start-faulty-gateway.ts';
import { openInstanceWatch } from './instance-watch.ts';
import { namesAndRevisions, serviceName, storedInstances, writeKeys } from './stored-instances.ts';

const at = (host: string, status = 'UP') => JSON.stringify({ host, port: 80, status });

describe('a watch of instances whose changes were compacted away while its gateway was cut off', () => {
  let etcd: TestEtcd;

  beforeAll(async () => {
    etcd = await startEtcd();
  });

  afterAll(async () => {
    await etcd?.stop();
  });

  it.each(['one service', 'all services'])('tells exactly what is different of %s', async (which) => {
    await using faulty = await startFaultyGateway(etcd);
    const { proxy, direct, gateway } = faulty;
    const { discovery } = openClients(gateway.url);
    const service = serviceName();
    const write = (values: Readonly<Record<string, string | undefined>>) =>
      writeKeys(
        direct.store,
        Object.fromEntries(Object.entries(values).map(([id, value]) => [`${service}/${id}`, value])),
      );
    await write({ same: at('1'), changed: at('1'), drained: at('1'), gone: at('1'), broken: at('1') });
    await using watch = openInstanceWatch(discovery, which === 'one service' ? { service } : {});
    await watch.opened;
    const revision = await write({ seen: at('1') });
    await watch.find((message) => message.revision >= revision);
    await eventually(async () =>
      expect((await discovery.discover({ service })).instances.map(({ instanceId }) => instanceId)).toEqual([
        'broken',
        'changed',
        'drained',
        'gone',
        'same',
        'seen',
      ]),
    );

    proxy.refuse();
    proxy.cut();
    await write({ changed: at('2'), drained: at('1', 'DRAINING') });
    await write({ gone: undefined, new: at('2'), briefly: at('2'), broken: 'not JSON' });
    const last = await write({ briefly: undefined });
    await compact(etcd.endpoint, last);
    proxy.accept();

    const resync = await watch.find(({ kind }) => kind === Kind.RESYNC);
    const told = resync.changes.filter(({ instance }) => instance?.service === service);
    // What an instance was before is not known: a status that changed is a change like others.
    expect(watch.changes().slice(1).toSorted()).toEqual([
      `REGISTERED ${service}/new 2:80 UP`,
      `UNREGISTERED ${service}/broken :0 DOWN`,
      `UNREGISTERED ${service}/gone :0 DOWN`,
      `UPDATED ${service}/changed 2:80 UP`,
      `UPDATED ${service}/drained 1:80 DRAINING`,
    ]);
    expect(told).toHaveLength(5);
    expect(told.every(({ previous }) => previous === undefined)).toBe(true);
    expect(resync.invalidEntries.map(({ key }) => key)).toEqual([`/services/${service}/broken`]);
    expect(resync.revision).toBeGreaterThanOrEqual(last);

    await write({ same: at('3') });
    await eventually(() => expect(watch.changes().at(-1)).toBe(`UPDATED ${service}/same 3:80 UP < 1:80 UP`));
    const answer = await discovery.discover({ service });
    const stored = await storedInstances(direct.store, service);
    expect(namesAndRevisions(answer.instances)).toEqual(stored.filter((name) => !name.startsWith('broken')));
  });

  it('tells of an instance that changed, also where etcd no longer knows what it was', async () => {
    await using faulty = await startFaultyGateway(etcd);
    const { direct, gateway } = faulty;
    const { discovery } = openClients(gateway.url);
    const service = serviceName();
    await writeKeys(direct.store, { [`${service}/a`]: at('1'), [`${service}/b`]: at('1') });
    const first = openInstanceWatch(discovery, { service });
    await first.opened;
    const resumeToken = first.token();
    await first[Symbol.asyncDispose]();
    // etcd looks for what a key held at the revision before the change: it is compacted away just so far.
    const revision = await writeKeys(direct.store, {
      [`${service}/a`]: at('2'),
      [`${service}/b`]: 'not JSON',
    });
    await compact(etcd.endpoint, revision);
    await using second = openInstanceWatch(discovery, { service, resumeToken });
    await eventually(() => expect(second.changes()).toHaveLength(2));
    expect(second.changes().toSorted()).toEqual([
      `UNREGISTERED ${service}/b :0 DOWN`,
      `UPDATED ${service}/a 2:80 UP`,
    ]);
  });
});
