import type { MessageInitShape } from '@bufbuild/protobuf';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Liveness, type Strategy } from '../../../gen/concord/discovery/v1/discovery_service_pb.ts';
import { type InstanceSchema, Status } from '../../../gen/concord/discovery/v1/instance_pb.ts';
import type { ProbeSchema } from '../../../gen/concord/discovery/v1/probe_pb.ts';
import type { Consistency } from '../../../gen/concord/kv/v1/reading_pb.ts';
import { failureOf } from '../../support/failure-of.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { PROTOCOLS } from '../../support/protocols.ts';
import { startGateway } from '../../support/start-gateway.ts';
import { LONG_LEASES, startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { type StoreState, storeStateOf } from '../../support/store-state.ts';

const NAME = { service: 'orders', instanceId: 'a' };
const SOUND = { ...NAME, host: 'h', port: 1 };
const LONGEST_ID = 'ä'.repeat(128);
const WRONG_NAMES = ['a/b', '/', 'a\nb', '\u0000', '\u007f', '\u0085', 'ä'.repeat(129)];

const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `n${i}`);
const metadataOf = (count: number, value: string): Record<string, string> =>
  Object.fromEntries(numbered(count).map((name) => [name, value]));

/** Instances that differ from a sound one in one thing, with the place of the fault. */
const WRONG_INSTANCES: readonly [string, MessageInitShape<typeof InstanceSchema>][] = [
  ['instance.service', { service: '' }],
  ...WRONG_NAMES.map((service) => ['instance.service', { service }] as [string, { service: string }]),
  ...WRONG_NAMES.map((instanceId) => ['instance.instance_id', { instanceId }] as [string, object]),
  ['instance.host', { host: '' }],
  ['instance.host', { host: 'a b' }],
  ['instance.host', { host: 'a\n' }],
  ['instance.host', { host: 'x'.repeat(254) }],
  ['instance.port', { port: 0 }],
  ['instance.port', { port: -1 }],
  ['instance.port', { port: 65_536 }],
  ['instance.metadata', { metadata: metadataOf(65, '') }],
  ['instance.metadata["a"]', { metadata: { a: 'x'.repeat(4_097) } }],
  ['instance.metadata[""]', { metadata: { '': 'x' } }],
  ['instance.tags', { tags: numbered(65) }],
  ['instance.tags[0]', { tags: [''] }],
  ['instance.tags[1]', { tags: ['a', 'x'.repeat(129)] }],
  ['instance.version', { version: 'x'.repeat(129) }],
  ['instance.zone', { zone: 'x'.repeat(129) }],
  ['instance.weight', { weight: -1 }],
  ['instance.weight', { weight: 10_001 }],
  ['instance.status', { status: 5 as Status }],
];

let gateway: Awaited<ReturnType<typeof startGatewayOnEtcd>>;
let clients: Clients;
let before: StoreState;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd({}, LONG_LEASES);
  clients = openClients(gateway.url);
});

beforeEach(async () => {
  before = await storeStateOf(gateway.etcd);
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

async function expectInvalid(field: string, ...calls: readonly Promise<unknown>[]): Promise<void> {
  for (const failure of await Promise.all(calls.map(failureOf))) {
    expect(failure).toMatchObject({ code: 'InvalidArgument', reason: 'FIELD_INVALID' });
    expect(failure.message).toContain(field);
  }
}

describe('a request that breaks a rule', () => {
  afterEach(async () => {
    expect(await storeStateOf(gateway.etcd)).toEqual(before);
  });

  it.each(WRONG_INSTANCES)('is refused where it says so of %s (%j)', async (field, wrong) => {
    const { discovery } = clients;
    const instance = { ...SOUND, ...wrong };
    await expectInvalid(
      field,
      discovery.register({ instance }),
      discovery.updateInstance({ instance }),
      (async () => {
        for await (const message of discovery.attach({ instance })) return message;
      })(),
    );
  });

  it('is refused without an instance', async () => {
    await expectInvalid('instance', clients.discovery.register({}), clients.discovery.updateInstance({}));
  });

  it('is refused where it does not say which instance to change', async () => {
    const call = clients.discovery.updateInstance({ instance: { ...SOUND, instanceId: '' } });
    expect(await failureOf(call)).toMatchObject({ reason: 'FIELD_INVALID' });
  });

  it.each(['', ...WRONG_NAMES])('is refused where it names the service %j', async (service) => {
    const { discovery } = clients;
    await expectInvalid(
      'service',
      discovery.discover({ service }),
      discovery.getInstance({ service, instanceId: 'a' }),
      discovery.heartbeat({ service, instanceId: 'a' }),
      discovery.unregister({ service, instanceId: 'a' }),
      discovery.setStatus({ service, instanceId: 'a', status: Status.UP }),
      discovery.pick({ service }),
      discovery.waitFor({ service }),
      discovery.setLossGuard({ service }),
      discovery.getLossGuard({ service }),
    );
  });

  it.each(['', ...WRONG_NAMES])('is refused where it names the instance %j', async (instanceId) => {
    const { discovery } = clients;
    await expectInvalid(
      'instance_id',
      discovery.getInstance({ service: 's', instanceId }),
      discovery.heartbeat({ service: 's', instanceId }),
      discovery.unregister({ service: 's', instanceId }),
      discovery.setStatus({ service: 's', instanceId, status: Status.UP }),
    );
  });

  it('is refused where it is out of bounds', async () => {
    const { discovery } = clients;
    const instance = SOUND;
    await expectInvalid('ttl', discovery.register({ instance, ttl: {} }));
    await expectInvalid('ttl', discovery.register({ instance, ttl: { seconds: 86_401n } }));
    await expectInvalid('liveness', discovery.register({ instance, liveness: 3 as Liveness }));
    await expectInvalid('expected_revision', discovery.register({ instance, expectedRevision: -1n }));
    await expectInvalid(
      'status',
      discovery.setStatus(NAME),
      discovery.setStatus({ ...NAME, status: 9 as Status }),
    );
    await expectInvalid('min_revision', discovery.discover({ service: 's', minRevision: -1n }));
    await expectInvalid('consistency', discovery.getInstance({ ...NAME, consistency: 9 as Consistency }));
    await expectInvalid('page_size', discovery.listServices({ pageSize: 1_001 }));
    await expectInvalid('strategy', discovery.pick({ service: 's', strategy: 7 as Strategy }));
    await expectInvalid('hash_key', discovery.pick({ service: 's', hashKey: 'x'.repeat(1_025) }));
    await expectInvalid('count', discovery.waitFor({ service: 's', count: 100_001 }));
    await expectInvalid('max_loss_percent', discovery.setLossGuard({ service: 's', maxLossPercent: 100 }));
    await expectInvalid(
      'filter.statuses',
      discovery.discover({ service: 's', filter: { statuses: [9 as Status] } }),
    );
    await expectInvalid('filter.tags', discovery.pick({ service: 's', filter: { tags: numbered(65) } }));
    await expectInvalid(
      'filter.expression',
      discovery.discover({ service: 's', filter: { expression: `"${'x'.repeat(1_024)}" == ""` } }),
    );
  });

  it.each<[string, MessageInitShape<typeof ProbeSchema>]>([
    ['probe', {}],
    ['probe.port', { check: { case: 'tcp', value: {} }, port: 65_536 }],
    ['probe.interval', { check: { case: 'tcp', value: {} }, interval: { nanos: 1 } }],
    ['probe.timeout', { check: { case: 'tcp', value: {} }, timeout: { seconds: 61n } }],
    ['probe.http.path', { check: { case: 'http', value: { path: 'no-slash' } } }],
    ['probe.http.path', { check: { case: 'http', value: { path: '/a b\r\n' } } }],
  ])('is refused where its probe does, at %s', async (field, probe) => {
    const call = clients.discovery.register({ instance: SOUND, liveness: Liveness.MANAGED, probe });
    await expectInvalid(field, call);
  });
});

describe('a request at its bounds', () => {
  it('is taken', { timeout: 120_000 }, async () => {
    const { discovery } = clients;
    const instance = {
      service: LONGEST_ID,
      instanceId: LONGEST_ID,
      host: 'x'.repeat(253),
      port: 65_535,
      metadata: metadataOf(64, 'ü'.repeat(2_048)),
      tags: numbered(64),
      version: 'x'.repeat(128),
      zone: 'x'.repeat(128),
      weight: 10_000,
      status: Status.STARTING,
    };
    const { instance: registered } = await discovery.register({ instance, ttl: { seconds: 86_400n } });
    expect(registered).toMatchObject(instance);
    const { instances } = await discovery.discover({ service: LONGEST_ID });
    expect(instances).toEqual([registered]);
  });

  it('is what its names say, however they look', async () => {
    const { discovery } = clients;
    for (const service of ['.', '..', '%2F', ' ', '*', '\\', '__proto__', 'ключ', '\ufeffbom', '\u{1f980}']) {
      await discovery.register({ instance: { ...SOUND, service } });
      const { instances } = await discovery.discover({ service });
      expect(instances, service).toMatchObject([{ service, instanceId: 'a' }]);
      const { services } = await discovery.listServices({ prefix: service });
      expect(services.map(({ name }) => name)).toContain(service);
      expect(await discovery.unregister({ service, instanceId: 'a' })).toMatchObject({ unregistered: true });
    }
  });
});

describe('a probe', () => {
  const probe = { check: { case: 'tcp', value: {} } } as const;
  const register = (of: Clients, host: string) =>
    of.discovery.register({ instance: { ...SOUND, host }, liveness: Liveness.MANAGED, probe });

  it.each(PROTOCOLS)('is allowed nowhere unless the settings say so, over $name', async ({ open }) => {
    const own = openClients(gateway.url, open(gateway.url));
    for (const host of ['127.0.0.1', '10.0.0.1', '::1', 'localhost', '169.254.169.254']) {
      expect(await failureOf(register(own, host))).toMatchObject({
        code: 'FailedPrecondition',
        reason: 'PROBE_NOT_ALLOWED',
        metadata: { address: host },
        message: expect.stringContaining('CONCORD_PROBE_NETWORKS'),
      });
    }
    expect(await storeStateOf(gateway.etcd)).toEqual(before);
  });

  it('is allowed in the networks that the settings name, and in no other', { timeout: 120_000 }, async () => {
    const networks = { CONCORD_PROBE_NETWORKS: 'loopback,10.1.0.0/16' };
    await using allowing = await startGateway([gateway.etcd.endpoint], networks);
    const own = openClients(allowing.url);
    for (const host of ['127.0.0.1', '::1', '::ffff:127.0.0.1', '10.1.255.255', 'localhost'])
      expect((await register(own, host)).leaseId, host).toBeGreaterThan(0n);
    const refused = [
      '10.2.0.0',
      '192.168.0.1',
      '0.0.0.0',
      '::',
      '::ffff:10.2.0.0',
      '::ffff:a02:0',
      '169.254.169.254',
      'no-such-host.invalid',
    ];
    for (const host of refused)
      expect(await failureOf(register(own, host)), host).toMatchObject({ reason: 'PROBE_NOT_ALLOWED' });
    await own.discovery.unregister(NAME);
  });
});
