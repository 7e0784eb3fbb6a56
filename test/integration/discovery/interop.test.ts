import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Status } from '../../../gen/concord/discovery/v1/instance_pb.ts';
import { singleKey } from '../../../src/domain/key-range.ts';
import { type Etcd, openEtcd } from '../../../src/etcd/open-etcd.ts';
import { failureOf } from '../../support/failure-of.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { PROTOCOLS } from '../../support/protocols.ts';
import { startGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { serviceName, writeKeys } from './stored-instances.ts';

const FOREIGN = JSON.stringify({
  host: '10.0.0.7',
  port: '8443',
  rack: 'r1',
  capabilities: ['a', { b: 1 }],
  metadata: { region: 'eu' },
});

let gateway: Awaited<ReturnType<typeof startGatewayOnEtcd>>;
let clients: Clients;
let direct: Etcd;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
  clients = openClients(gateway.url);
  direct = openEtcd({ endpoints: [gateway.etcd.endpoint] });
});

afterAll(async () => {
  await direct?.[Symbol.asyncDispose]();
  await gateway?.[Symbol.asyncDispose]();
});

/** Reads a key as another etcd client would. */
async function stored(key: string) {
  const signal = AbortSignal.timeout(30_000);
  const range = singleKey(Buffer.from(key));
  const { kvs } = await direct.store.read({ kind: 'read', range }, { signal });
  const [kv] = kvs;
  return kv && { leaseId: kv.leaseId, value: JSON.parse(Buffer.from(kv.value).toString('utf8')) as unknown };
}

describe('an instance that Concord registered', () => {
  it('is JSON for any etcd client, on its lease', async () => {
    const service = serviceName();
    const { leaseId } = await clients.discovery.register({
      instance: {
        service,
        instanceId: 'a',
        host: '::1',
        port: 80,
        metadata: { ключ: 'значение' },
        tags: ['t'],
        version: 'v',
        zone: 'z',
        weight: 7,
        status: Status.STARTING,
      },
    });
    expect(await stored(`/services/${service}/a`)).toEqual({
      leaseId,
      value: {
        host: '::1',
        port: 80,
        metadata: { ключ: 'значение' },
        tags: ['t'],
        version: 'v',
        zone: 'z',
        weight: 7,
        status: 'STARTING',
        registerTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        liveness: 'HEARTBEAT',
      },
    });
  });
});

describe('an instance that another etcd client wrote', () => {
  it('is served with what is not known of it as metadata', async () => {
    const service = serviceName();
    const revision = await writeKeys(direct.store, { [`${service}/a`]: FOREIGN });
    const expected = {
      service,
      instanceId: 'a',
      host: '10.0.0.7',
      port: 8443,
      metadata: { rack: 'r1', capabilities: '["a",{"b":1}]', region: 'eu' },
      status: Status.UP,
      weight: 1,
      leaseId: 0n,
      revision,
    };
    const { discovery } = clients;
    expect((await discovery.discover({ service })).instances).toMatchObject([expected]);
    expect(await discovery.getInstance({ service, instanceId: 'a' })).toMatchObject({ instance: expected });
    expect(await discovery.pick({ service })).toMatchObject({ instance: expected });
  });

  it('keeps its own members, and its lease, when Concord changes it', async () => {
    const { discovery, leases, kv } = clients;
    const name = { service: serviceName(), instanceId: 'a' };
    const key = `/services/${name.service}/a`;
    const { leaseId } = await leases.grant({ ttl: { seconds: 60n } });
    await kv.put({ key, value: FOREIGN, leaseId });
    await discovery.setStatus({ ...name, status: Status.DRAINING });
    const { instance } = await discovery.getInstance(name);
    expect(await stored(key)).toEqual({
      leaseId,
      value: {
        host: '10.0.0.7',
        port: 8443,
        rack: 'r1',
        capabilities: ['a', { b: 1 }],
        metadata: { region: 'eu' },
        status: 'DRAINING',
      },
    });
    const metadata = { ...instance?.metadata, rack: 'r2' };
    await discovery.updateInstance({ instance: { ...name, host: 'h', port: 1, metadata } });
    expect((await stored(key))?.value).toEqual({
      host: 'h',
      port: 1,
      capabilities: ['a', { b: 1 }],
      metadata: { rack: 'r2', region: 'eu' },
      status: 'UP',
    });
    expect(await discovery.heartbeat(name)).toMatchObject({ expireTime: {} });
    await discovery.unregister(name);
    expect(await stored(key)).toBeUndefined();
  });

  it('takes heartbeats without a lease, and is then without an end', async () => {
    const service = serviceName();
    await writeKeys(direct.store, { [`${service}/a`]: FOREIGN });
    const { expireTime } = await clients.discovery.heartbeat({ service, instanceId: 'a' });
    expect(expireTime).toBeUndefined();
  });
});

describe('what stands under a service and is no instance', () => {
  it('is reported beside the instances, and breaks nothing', async () => {
    const service = serviceName();
    await writeKeys(direct.store, {
      [`${service}/a`]: '{"host":"h","port":1}',
      [`${service}/b`]: 'h:1',
      [`${service}/c`]: '{"host":"h"}',
      [`${service}/d/e`]: '{"host":"h","port":1}',
      [`${service}/`]: '{"host":"h","port":1}',
    });
    const { instances, invalidEntries } = await clients.discovery.discover({ service });
    expect(instances).toMatchObject([{ instanceId: 'a' }]);
    const reasons = Object.fromEntries(invalidEntries.map(({ key, reason }) => [key, reason]));
    expect(reasons).toEqual({
      [`/services/${service}/b`]: 'the value is not JSON',
      [`/services/${service}/c`]: '"port" is not a number from 1 to 65535',
      [`/services/${service}/d/e`]: 'the key is not <service>/<instance_id>',
      [`/services/${service}/`]: 'the key is not <service>/<instance_id>',
    });
    expect((await clients.discovery.listServices({ prefix: service })).services).toMatchObject([
      { instanceCount: 1, upCount: 1 },
    ]);
    const gone = clients.discovery.getInstance({ service, instanceId: 'b' });
    expect(await failureOf(gone)).toMatchObject({ reason: 'INSTANCE_NOT_FOUND' });
  });

  it('is reported at most 100 times', async () => {
    const service = serviceName();
    const ids = Array.from({ length: 120 }, (_, i) => [`${service}/${i}`, 'x']);
    await writeKeys(direct.store, Object.fromEntries(ids));
    const { invalidEntries } = await clients.discovery.discover({ service });
    expect(invalidEntries).toHaveLength(100);
  });

  it('gives way to an instance that is registered there', async () => {
    const service = serviceName();
    await writeKeys(direct.store, { [`${service}/a`]: 'x' });
    await clients.discovery.register({ instance: { service, instanceId: 'a', host: 'h', port: 1 } });
    const { instances, invalidEntries } = await clients.discovery.discover({ service });
    expect([instances.length, invalidEntries]).toEqual([1, []]);
  });

  it.each(PROTOCOLS)('has no texts or times that cannot be sent, over $name', async ({ open }) => {
    const { discovery } = openClients(gateway.url, open(gateway.url));
    const service = serviceName();
    await writeKeys(direct.store, {
      [`${service}/a`]:
        '{"host":"h\\ud800","port":1,"\\ud800":"\\udfff","zone":"\\ud800","tags":["\\ud800"]}',
      [`${service}/b`]: '{"host":"h","port":1,"registerTime":"+275760-09-13T00:00:00Z"}',
      [`${service}/c`]: '{"host":"h","port":1,"registerTime":"-000001-01-01T00:00:00Z","weight":1e300}',
      [`${service}/d`]: '{"host":"h","port":1,"__proto__":{"x":1},"toString":"t"}',
    });
    const { instances } = await discovery.discover({ service });
    expect(instances.map(({ instanceId }) => instanceId)).toEqual(['a', 'b', 'c', 'd']);
    expect(instances[0]).toMatchObject({ host: 'h\ufffd', metadata: { '\ufffd': '\ufffd' } });
    expect(instances.slice(1).map(({ registerTime }) => registerTime)).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe('another prefix', () => {
  it('holds the instances, apart from those of the default', async () => {
    const prefix = '/дом/registry';
    await using other = await startGateway([gateway.etcd.endpoint], { CONCORD_SERVICES_PREFIX: prefix });
    const { discovery } = openClients(other.url);
    const service = serviceName();
    const { leaseId } = await discovery.register({
      instance: { service, instanceId: 'a', host: 'h', port: 1 },
    });
    expect(await stored(`${prefix}/${service}/a`)).toMatchObject({ leaseId });
    expect(await stored(`/services/${service}/a`)).toBeUndefined();
    await clients.kv.put({ key: `${prefix}/${service}/b`, value: '{"host":"h","port":2}' });
    const { instances } = await discovery.discover({ service });
    expect(instances.map(({ instanceId }) => instanceId)).toEqual(['a', 'b']);
    expect((await discovery.listServices({})).services).toMatchObject([{ name: service }]);
    expect((await clients.discovery.discover({ service })).instances).toEqual([]);
    expect(await discovery.heartbeat({ service, instanceId: 'a' })).toMatchObject({ expireTime: {} });
  });
});
