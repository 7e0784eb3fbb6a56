import { timestampMs } from '@bufbuild/protobuf/wkt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  Change_Type,
  Liveness,
  Strategy,
  WatchResponse_Kind,
} from '../../../gen/concord/discovery/v1/discovery_service_pb.ts';
import { Status } from '../../../gen/concord/discovery/v1/instance_pb.ts';
import { collect } from '../../support/collect.ts';
import { failureOf } from '../../support/failure-of.ts';
import { openClients } from '../../support/open-clients.ts';
import { PROTOCOLS } from '../../support/protocols.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { serviceName } from './stored-instances.ts';

const TIMEOUT_MS = 120_000;
const TTL = { seconds: 60n };

let gateway: Awaited<ReturnType<typeof startGatewayOnEtcd>>;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

const secondsUntil = (time: Parameters<typeof timestampMs>[0] | undefined): number =>
  time === undefined ? Number.NaN : (timestampMs(time) - Date.now()) / 1_000;

describe.each(PROTOCOLS)('DiscoveryService over $name', ({ open }) => {
  const connect = () => openClients(gateway.url, open(gateway.url));

  it('registers, changes, finds and takes out an instance', { timeout: TIMEOUT_MS }, async () => {
    const { discovery } = connect();
    const service = serviceName();
    const name = { service, instanceId: 'a' };
    const said = {
      ...name,
      host: '10.0.0.1',
      port: 8080,
      metadata: { region: 'eu' },
      tags: ['blue'],
      version: '1.2',
      zone: 'z1',
      weight: 0,
    };
    const registered = await discovery.register({ instance: said, ttl: TTL, liveness: Liveness.HEARTBEAT });
    expect(registered).toMatchObject({
      instance: { ...said, status: Status.UP, leaseId: registered.leaseId, revision: registered.revision },
    });
    expect(registered.leaseId).toBeGreaterThan(0n);
    expect(registered.leaseId).toBeLessThan(2n ** 53n);
    expect(secondsUntil(registered.expireTime)).toBeGreaterThan(40);
    expect(secondsUntil(registered.expireTime)).toBeLessThan(61);
    expect(Math.abs(secondsUntil(registered.instance?.registerTime))).toBeLessThan(20);

    const heard = await discovery.heartbeat(name);
    expect(heard.revision).toBeGreaterThanOrEqual(registered.revision);
    expect(secondsUntil(heard.expireTime)).toBeGreaterThan(40);

    const updated = await discovery.updateInstance({ instance: { ...name, host: 'h', port: 9 } });
    expect(updated.instance).toMatchObject({
      ...name,
      host: 'h',
      port: 9,
      metadata: {},
      tags: [],
      version: '',
      zone: '',
      weight: 1,
      leaseId: registered.leaseId,
      registerTime: registered.instance?.registerTime,
      revision: updated.revision,
    });
    const set = await discovery.setStatus({ ...name, status: Status.DRAINING });
    expect(set.instance).toMatchObject({ host: 'h', status: Status.DRAINING, revision: set.revision });
    expect(set.revision).toBeGreaterThan(updated.revision);

    expect(await discovery.getInstance(name)).toMatchObject({ instance: set.instance });
    expect((await discovery.discover({ service })).instances).toEqual([set.instance]);
    expect(await failureOf(discovery.pick({ service }))).toMatchObject({
      code: 'NotFound',
      reason: 'INSTANCE_NOT_FOUND',
      metadata: { service },
    });
    await discovery.setStatus({ ...name, status: Status.UP });
    const picked = await discovery.pick({ service, strategy: Strategy.FIRST });
    expect(picked).toMatchObject({ instance: name, stale: false });
    expect(await discovery.waitFor({ service })).toMatchObject({ instances: [name] });
    expect((await discovery.listServices({ prefix: service })).services).toMatchObject([
      { name: service, instanceCount: 1, upCount: 1 },
    ]);

    const gone = await discovery.unregister(name);
    expect(gone.unregistered).toBe(true);
    expect(gone.revision).toBeGreaterThan(set.revision);
    expect(await discovery.unregister(name)).toMatchObject({ unregistered: false });
    expect((await discovery.discover({ service })).instances).toEqual([]);
    expect((await discovery.listServices({ prefix: service })).services).toEqual([]);
  });

  it('attaches and watches an instance', { timeout: TIMEOUT_MS }, async () => {
    const { discovery } = connect();
    const service = serviceName();
    const [attachEnd, watchEnd] = [new AbortController(), new AbortController()];
    await using watching = collect(discovery.watch({ service }, { signal: watchEnd.signal }), watchEnd);
    await watching.find(({ kind }) => kind === WatchResponse_Kind.SYNCED);
    const instance = { service, host: 'h', port: 1 };
    await using attached = collect(discovery.attach({ instance }, { signal: attachEnd.signal }), attachEnd);
    const first = await attached.find(() => true);
    expect(first.instance?.instanceId).toMatch(/^[0-9a-f-]{36}$/);
    expect(secondsUntil(first.expireTime)).toBeGreaterThan(0);
    attachEnd.abort();
    const { changes } = await watching.find(({ changes: [change] }) => {
      return change !== undefined && change.type !== Change_Type.REGISTERED;
    });
    expect(changes).toMatchObject([{ type: Change_Type.UNREGISTERED, instance: first.instance }]);
  });

  it('sets and returns a loss guard', async () => {
    const { discovery } = connect();
    const service = serviceName();
    expect(await discovery.getLossGuard({ service })).toMatchObject({ maxLossPercent: 0 });
    const { revision } = await discovery.setLossGuard({ service, maxLossPercent: 30 });
    expect(await discovery.getLossGuard({ service, minRevision: revision })).toMatchObject({
      maxLossPercent: 30,
      window: { seconds: 30n },
      hold: { seconds: 300n },
    });
    await discovery.setLossGuard({ service });
    expect(await discovery.getLossGuard({ service })).toMatchObject({ maxLossPercent: 0 });
  });

  it('says that an instance is gone, and to register it again', async () => {
    const { discovery } = connect();
    const name = { service: serviceName(), instanceId: 'gone' };
    for (const call of [
      () => discovery.heartbeat(name),
      () => discovery.getInstance(name),
      () => discovery.setStatus({ ...name, status: Status.UP }),
      () => discovery.updateInstance({ instance: { ...name, host: 'h', port: 1 } }),
    ]) {
      const failure = await failureOf(call());
      expect(failure).toMatchObject({
        code: 'NotFound',
        reason: 'INSTANCE_NOT_FOUND',
        metadata: { service: name.service, instance_id: 'gone' },
      });
      expect(failure.message).toContain('register it again');
    }
  });
});
