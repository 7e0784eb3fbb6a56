import { randomUUID } from 'node:crypto';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Liveness } from '../../../gen/concord/discovery/v1/discovery_service_pb.ts';
import { type InstanceSchema, Status } from '../../../gen/concord/discovery/v1/instance_pb.ts';
import type { ProbeSchema } from '../../../gen/concord/discovery/v1/probe_pb.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import type { TestGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { type Answer, startProbedServer } from './probed-server.ts';
import { duration, instanceOf, watchReasons } from './watch-reasons.ts';

type Check =
  | { readonly case: 'tcp'; readonly value: Record<string, never> }
  | { readonly case: 'http'; readonly value: { readonly path: string } }
  | { readonly case: 'grpc'; readonly value: { readonly service: string } };

const CHECKS: Readonly<Record<'tcp' | 'http' | 'grpc', Check>> = {
  tcp: { case: 'tcp', value: {} },
  http: { case: 'http', value: { path: '/health?deep=1' } },
  grpc: { case: 'grpc', value: { service: 'orders' } },
};
const FAST = { interval: duration(100), timeout: duration(2_000), failureThreshold: 2 };
const serviceOf = () => `probed-${randomUUID()}`;

describe('a probed instance', { timeout: 120_000 }, () => {
  let gateway: TestGateway & AsyncDisposable;
  let discovery: Clients['discovery'];

  beforeAll(async () => {
    gateway = await startGatewayOnEtcd({ CONCORD_PROBE_NETWORKS: 'loopback' });
    discovery = openClients(gateway.url).discovery;
  });

  afterAll(async () => {
    await gateway?.[Symbol.asyncDispose]();
  });

  function register(
    instance: MessageInitShape<typeof InstanceSchema>,
    check: Check,
    probe: Omit<MessageInitShape<typeof ProbeSchema>, 'check' | '$typeName' | '$unknown'> = {},
  ) {
    return discovery.register({
      instance,
      ttl: duration(3_000),
      liveness: Liveness.MANAGED,
      probe: { ...FAST, check, ...probe },
    });
  }

  it.each(['tcp', 'http', 'grpc'] as const)(
    'goes down while its %s server is gone, comes up with it, and expires when that stays away',
    async (kind) => {
      const service = serviceOf();
      await using server = await startProbedServer(kind);
      await using watcher = await watchReasons(discovery, service);
      await register(instanceOf(service, 'a', { port: server.port }), CHECKS[kind], {
        giveUpAfter: duration(10_000),
      });
      await eventually(() => expect(server.asked).toBeGreaterThan(3));
      expect(watcher.told).toEqual(['REGISTERED a']);
      await server.close();
      await watcher.heard('STATUS a DOWN');
      await server.listen();
      await watcher.heard('STATUS a UP');
      await server.close();
      await watcher.heard('EXPIRED a');
      expect(watcher.of('a')).toEqual(['REGISTERED', 'STATUS DOWN', 'STATUS UP', 'STATUS DOWN', 'EXPIRED']);
    },
  );

  it.each([
    ['http', 'bad'],
    ['http', 'redirect'],
    ['http', 'slow'],
    ['http', 'silence'],
    ['grpc', 'bad'],
    ['grpc', 'silence'],
  ] as const)('is down while its %s server answers: %s', async (kind, answer: Answer) => {
    const service = serviceOf();
    await using server = await startProbedServer(kind);
    await using watcher = await watchReasons(discovery, service);
    await register(instanceOf(service, 'a', { port: server.port }), CHECKS[kind]);
    await eventually(() => expect(server.asked).toBeGreaterThan(1));
    server.answer = answer;
    await watcher.heard('STATUS a DOWN');
    server.answer = 'good';
    await watcher.heard('STATUS a UP');
    await discovery.unregister({ service, instanceId: 'a' });
    await watcher.heard('UNREGISTERED a');
    expect(watcher.of('a')).toEqual(['REGISTERED', 'STATUS DOWN', 'STATUS UP', 'UNREGISTERED']);
  });

  it.each(['http', 'grpc'] as const)(
    'is down where a server accepts connections and speaks no %s',
    async (kind) => {
      const service = serviceOf();
      await using server = await startProbedServer('tcp');
      await using watcher = await watchReasons(discovery, service);
      await register(instanceOf(service, 'a', { port: server.port }), CHECKS[kind], {
        giveUpAfter: duration(10_000),
      });
      await watcher.heard('EXPIRED a');
      expect(watcher.of('a')).toEqual(['REGISTERED', 'STATUS DOWN', 'EXPIRED']);
      await eventually(() => expect(server.openConnections).toBe(0));
    },
  );

  it('is up where a page never ends, and leaves no connection behind', async () => {
    const service = serviceOf();
    await using server = await startProbedServer('http');
    server.answer = 'endless';
    await register(instanceOf(service, 'a', { port: server.port }), CHECKS.http);
    await eventually(() => expect(server.asked).toBeGreaterThan(10));
    const { instance } = await discovery.getInstance({ service, instanceId: 'a' });
    expect(instance?.status).toBe(Status.UP);
    await discovery.unregister({ service, instanceId: 'a' });
    await eventually(() => expect(server.openConnections).toBe(0));
  });

  it('is asked whether it is up by grpc.health of a gateway', async () => {
    const service = serviceOf();
    await using watcher = await watchReasons(discovery, service);
    const check = (name: string): Check => ({ case: 'grpc', value: { service: name } });
    await register(instanceOf(service, 'whole', { port: gateway.port, status: Status.DOWN }), check(''));
    await register(instanceOf(service, 'none', { port: gateway.port }), check('no.such.Service'));
    await Promise.all([watcher.heard('STATUS whole UP'), watcher.heard('STATUS none DOWN')]);
    for (const instanceId of ['whole', 'none']) await discovery.unregister({ service, instanceId });
  });

  it.each([Status.DRAINING, Status.STARTING])('keeps the status that somebody set: %s', async (status) => {
    const service = serviceOf();
    await using server = await startProbedServer('tcp');
    await using watcher = await watchReasons(discovery, service);
    await register(instanceOf(service, 'a', { port: server.port }), CHECKS.tcp, {
      giveUpAfter: duration(2_000),
    });
    await discovery.setStatus({ service, instanceId: 'a', status });
    const { asked } = server;
    await eventually(() => expect(server.asked).toBeGreaterThan(asked + 5));
    await server.close();
    await watcher.heard('EXPIRED a');
    const told = status === Status.DRAINING ? 'STATUS DRAINING' : 'STATUS STARTING';
    expect(watcher.of('a')).toEqual(['REGISTERED', told, 'EXPIRED']);
  });

  it('is asked at another port where the probe says so, and at another host once it moved', async () => {
    const service = serviceOf();
    await using server = await startProbedServer('tcp');
    await using moved = await startProbedServer('tcp', '127.0.0.2');
    await register(instanceOf(service, 'a', { port: 9 }), CHECKS.tcp, { port: server.port });
    await eventually(() => expect(server.asked).toBeGreaterThan(2));
    await discovery.unregister({ service, instanceId: 'a' });
    await register(instanceOf(service, 'b', { port: server.port }), CHECKS.tcp);
    await discovery.updateInstance({
      instance: instanceOf(service, 'b', { host: '127.0.0.2', port: moved.port }),
    });
    await eventually(() => expect(moved.asked).toBeGreaterThan(2));
    await discovery.unregister({ service, instanceId: 'b' });
  });

  it('is asked no longer once it is unregistered, or registered anew without a probe', async () => {
    const service = serviceOf();
    await using server = await startProbedServer('tcp');
    const instance = instanceOf(service, 'a', { port: server.port });
    const ends = [
      () => discovery.unregister({ service, instanceId: 'a' }),
      () => discovery.register({ instance }),
    ];
    for (const end of ends) {
      await register(instance, CHECKS.tcp);
      const { asked } = server;
      await eventually(() => expect(server.asked).toBeGreaterThan(asked));
      expect(gateway.app.stats()).toMatchObject({ probed: 1, autoRenewed: 1 });
      await end();
      await eventually(() => expect(gateway.app.stats()).toMatchObject({ probed: 0, autoRenewed: 0 }));
    }
  });

  it.each(['10.0.0.1', '169.254.169.254', '::ffff:10.0.0.1', '0.0.0.0', 'nobody.invalid', 'fe80::1%lo'])(
    'is not registered where its address may not be probed: %s',
    async (host) => {
      const service = serviceOf();
      const call = register(instanceOf(service, 'a', { host }), CHECKS.tcp);
      expect(await failureOf(call)).toMatchObject({
        code: 'FailedPrecondition',
        reason: 'PROBE_NOT_ALLOWED',
        metadata: { address: host },
      });
      expect((await discovery.discover({ service })).instances).toEqual([]);
    },
  );

  it.each(['::1', 'localhost', '::ffff:127.0.0.1'])('is asked at %s', async (host) => {
    const service = serviceOf();
    await using server = await startProbedServer('http', host === '::1' ? '::1' : '127.0.0.1');
    await register(instanceOf(service, 'a', { host, port: server.port, status: Status.DOWN }), CHECKS.http);
    await eventually(async () => {
      const { instance } = await discovery.getInstance({ service, instanceId: 'a' });
      expect(instance?.status).toBe(Status.UP);
    });
    await discovery.unregister({ service, instanceId: 'a' });
  });

  it('is down once it moved to where it may not be probed', async () => {
    const service = serviceOf();
    await using watcher = await watchReasons(discovery, service);
    await using server = await startProbedServer('tcp');
    await register(instanceOf(service, 'a', { port: server.port }), CHECKS.tcp);
    await discovery.updateInstance({ instance: instanceOf(service, 'a', { host: '10.0.0.1' }) });
    await watcher.heard('STATUS a DOWN');
    await discovery.unregister({ service, instanceId: 'a' });
  });
});

describe('a gateway that may probe nobody', () => {
  it('refuses probes of loopback too', async () => {
    await using gateway = await startGatewayOnEtcd();
    const { discovery } = openClients(gateway.url);
    const probe = { check: CHECKS.tcp };
    const liveness = Liveness.MANAGED;
    const call = discovery.register({ instance: instanceOf('s', 'a'), liveness, probe });
    expect(await failureOf(call)).toMatchObject({ reason: 'PROBE_NOT_ALLOWED' });
    await discovery.register({ instance: instanceOf('s', 'a'), liveness });
  });
});
