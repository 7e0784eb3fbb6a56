import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WatchResponse_Kind as Kind } from '../../../gen/concord/discovery/v1/discovery_service_pb.ts';
import { Status } from '../../../gen/concord/discovery/v1/instance_pb.ts';
import { type Etcd, openEtcd } from '../../../src/etcd/open-etcd.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { openClients } from '../../support/open-clients.ts';
import { PROTOCOLS } from '../../support/protocols.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { type DiscoveryClient, kindName, openInstanceWatch } from './instance-watch.ts';
import { serviceName, writeKeys } from './stored-instances.ts';

const STREAMING = PROTOCOLS.filter(({ name }) => !name.includes('GET'));

let etcd: TestEtcd;
let gateway: TestGateway;
let other: TestGateway;
let direct: Etcd;

beforeAll(async () => {
  etcd = await startEtcd();
  gateway = await startGateway([etcd.endpoint]);
  other = await startGateway([etcd.endpoint]);
  direct = openEtcd({ endpoints: [etcd.endpoint] });
});

afterAll(async () => {
  await direct?.[Symbol.asyncDispose]();
  await other?.[Symbol.asyncDispose]();
  await gateway?.[Symbol.asyncDispose]();
  await etcd?.stop();
});

function register(discovery: DiscoveryClient, service: string, instanceId: string, port = 80) {
  return discovery.register({
    instance: { service, instanceId, host: instanceId, port },
    ttl: { seconds: 60n },
  });
}

describe.each(STREAMING)('DiscoveryService.Watch over $name', ({ open }) => {
  it('sends the whole set, then what changes, with reasons and the state before', async () => {
    const { discovery } = openClients(gateway.url, open(gateway.url));
    const service = serviceName();
    await register(discovery, service, 'a');
    const { revision } = await register(discovery, service, 'b');
    await using watch = openInstanceWatch(discovery, { service });
    await watch.opened;
    expect(watch.messages.map(kindName)).toEqual(['SNAPSHOT', 'SYNCED', 'CHECKPOINT']);
    expect(watch.messages[0]?.instances).toMatchObject([
      { service, instanceId: 'a', host: 'a', port: 80, status: Status.UP },
      { service, instanceId: 'b', revision },
    ]);
    expect(watch.messages[0]?.instances[0]?.leaseId).toBeGreaterThan(0n);

    await register(discovery, service, 'c');
    await discovery.setStatus({ service, instanceId: 'c', status: Status.DRAINING });
    await discovery.updateInstance({ instance: { service, instanceId: 'a', host: 'a', port: 81 } });
    await discovery.unregister({ service, instanceId: 'b' });
    const doomed = await register(discovery, service, 'd');
    await direct.leases.revoke(doomed.leaseId, { signal: AbortSignal.timeout(30_000) });
    await eventually(() => expect(watch.changes()).toHaveLength(6));
    expect(watch.changes()).toEqual([
      `REGISTERED ${service}/c c:80 UP`,
      `STATUS ${service}/c c:80 DRAINING < c:80 UP`,
      `UPDATED ${service}/a a:81 UP < a:80 UP`,
      `UNREGISTERED ${service}/b b:80 UP < b:80 UP`,
      `REGISTERED ${service}/d d:80 UP`,
      `EXPIRED ${service}/d d:80 UP < d:80 UP`,
    ]);
    const events = watch.messages.filter(({ kind }) => kind === Kind.EVENTS);
    expect(events).toHaveLength(6);
    for (const { revision, resumeToken, changes } of events.slice(0, 3)) {
      expect(changes[0]?.instance?.revision).toBe(revision);
      expect(resumeToken).not.toBe('');
    }
  });

  it('tells of all services when none is named, and of several at one revision at once', async () => {
    const { discovery } = openClients(gateway.url, open(gateway.url));
    const services = [serviceName(), serviceName()] as const;
    await register(discovery, services[0], 'a');
    await using watch = openInstanceWatch(discovery);
    await watch.opened;
    const seen = watch.messages.flatMap(({ instances }) => instances);
    expect(seen.filter(({ service }) => service === services[0])).toHaveLength(1);
    const value = JSON.stringify({ host: 'h', port: 1 });
    const revision = await writeKeys(direct.store, {
      [`${services[0]}/x`]: value,
      [`${services[1]}/y`]: value,
    });
    const told = await watch.find((message) => message.revision === revision && message.kind === Kind.EVENTS);
    expect(told.changes.map(({ instance }) => `${instance?.service}/${instance?.instanceId}`)).toEqual([
      `${services[0]}/x`,
      `${services[1]}/y`,
    ]);
  });

  it('goes on at another gateway where its token says: nothing is lost, nothing comes twice', async () => {
    const [here, there] = [gateway, other].map(({ url }) => openClients(url, open(url)).discovery);
    if (here === undefined || there === undefined) return expect.fail();
    const service = serviceName();
    const first = openInstanceWatch(here, { service });
    await first.opened;
    await register(here, service, '1');
    await first.find(({ changes }) => changes.length > 0);
    const resumeToken = first.token();
    await first[Symbol.asyncDispose]();
    for (const id of ['2', '3']) await register(here, service, id);
    await here.unregister({ service, instanceId: '1' });
    await using second = openInstanceWatch(there, { service, resumeToken });
    await eventually(() => expect(second.changes()).toHaveLength(3));
    await register(here, service, '4');
    await eventually(() => expect(second.changes()).toHaveLength(4));
    expect(second.messages.map(kindName)).not.toContain('SNAPSHOT');
    expect(second.changes()).toEqual([
      `REGISTERED ${service}/2 2:80 UP`,
      `REGISTERED ${service}/3 3:80 UP`,
      `UNREGISTERED ${service}/1 1:80 UP < 1:80 UP`,
      `REGISTERED ${service}/4 4:80 UP`,
    ]);
  });

  it('says at the interval that nothing changes, also where others write', async () => {
    const { discovery, kv } = openClients(gateway.url, open(gateway.url));
    const service = serviceName();
    await using watch = openInstanceWatch(discovery, { service });
    await watch.opened;
    expect(watch.messages.map(kindName)).toEqual(['SYNCED', 'CHECKPOINT']);
    const { revision } = await kv.put({ key: `test/${service}` });
    await watch.find((message) => message.kind === Kind.CHECKPOINT && message.revision >= revision);
    expect(watch.changes()).toEqual([]);
  });
});

describe('DiscoveryService.Watch', () => {
  it('reports what is no instance, when it is found, and when an instance becomes it', async () => {
    const { discovery } = openClients(gateway.url);
    const service = serviceName();
    const keyOf = (id: string) => `/services/${service}/${id}`;
    await writeKeys(direct.store, {
      [`${service}/good`]: '{"host":"h","port":1}',
      [`${service}/bad`]: 'not JSON',
      [`${service}/too/deep`]: '{"host":"h","port":1}',
    });
    await using watch = openInstanceWatch(discovery, { service });
    await watch.opened;
    expect(watch.messages[0]?.instances.map(({ instanceId }) => instanceId)).toEqual(['good']);
    expect(watch.messages[0]?.invalidEntries).toEqual([
      expect.objectContaining({ key: keyOf('bad'), reason: 'the value is not JSON' }),
      expect.objectContaining({ key: keyOf('too/deep') }),
    ]);

    const steps: readonly (readonly [Record<string, string | undefined>, readonly string[], string[]])[] = [
      [{ bad: '{"host":"h"}' }, [], ['bad']],
      [{ bad: '{"host":"h","port":2}' }, [`REGISTERED ${service}/bad h:2 UP`], []],
      [{ good: '[]' }, [`UNREGISTERED ${service}/good h:1 UP < h:1 UP`], ['good']],
      [{ good: '{"host":"h","port":"3"}' }, [`REGISTERED ${service}/good h:3 UP`], []],
    ];
    for (const [values, changes, invalid] of steps) {
      const told = watch.changes().length;
      const named = Object.entries(values).map(([id, value]) => [`${service}/${id}`, value]);
      const revision = await writeKeys(direct.store, Object.fromEntries(named));
      const message = await watch.find((each) => each.revision === revision);
      expect(watch.changes().slice(told)).toEqual(changes);
      expect(message.invalidEntries.map(({ key }) => key)).toEqual(invalid.map(keyOf));
    }
  });

  it('sends no message without content for what was no instance and goes', async () => {
    const { discovery } = openClients(gateway.url);
    const service = serviceName();
    await writeKeys(direct.store, { [`${service}/bad`]: 'not JSON' });
    await using watch = openInstanceWatch(discovery, { service });
    await watch.opened;
    const revision = await writeKeys(direct.store, { [`${service}/bad`]: undefined });
    const message = await watch.find((each) => each.revision >= revision);
    expect(kindName(message)).toBe('CHECKPOINT');
  });

  it('refuses a token of another service, and one that is damaged', async () => {
    const { discovery } = openClients(gateway.url);
    const service = serviceName();
    const watch = openInstanceWatch(discovery, { service });
    await watch.opened;
    const resumeToken = watch.token();
    await watch[Symbol.asyncDispose]();
    for (const request of [
      { service: serviceName(), resumeToken },
      { resumeToken },
      { service, resumeToken: `${resumeToken.slice(0, 4)}AAAA${resumeToken.slice(8)}` },
      { service, resumeToken: 'nonsense' },
    ]) {
      await using refused = openInstanceWatch(discovery, request);
      expect(await failureOf(refused.opened)).toMatchObject({
        code: 'InvalidArgument',
        reason: 'RESUME_TOKEN_INVALID',
      });
    }
  });
});
