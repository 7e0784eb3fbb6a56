import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Liveness } from '../../../gen/concord/discovery/v1/discovery_service_pb.ts';
import { Status } from '../../../gen/concord/discovery/v1/instance_pb.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { storeStateOf } from '../../support/store-state.ts';
import { serviceName } from './stored-instances.ts';

const TTL = { seconds: 60n };

let gateway: Awaited<ReturnType<typeof startGatewayOnEtcd>>;
let clients: Clients;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
  clients = openClients(gateway.url);
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

const instanceOf = (service: string) => ({ service, instanceId: 'a', host: 'h', port: 1 });

/** Each call that changes an instance, with conditions. */
function mutations(service: string) {
  const { discovery } = clients;
  const name = { service, instanceId: 'a' };
  type Conditions = Pick<Parameters<typeof discovery.setStatus>[0], 'expectedRevision' | 'fence'>;
  return {
    register: (c: Conditions) => discovery.register({ instance: instanceOf(service), ...c }),
    updateInstance: (c: Conditions) => discovery.updateInstance({ instance: instanceOf(service), ...c }),
    setStatus: (c: Conditions) => discovery.setStatus({ ...name, status: Status.DOWN, ...c }),
    unregister: (c: Conditions) => discovery.unregister({ ...name, ...c }),
  } as const;
}

describe('registering an instance again', () => {
  it('replaces it, and leaves one lease', async () => {
    const { discovery, leases } = clients;
    const service = serviceName();
    const before = await storeStateOf(gateway.etcd);
    const leaseIds: bigint[] = [];
    for (const port of [1, 2, 3]) {
      const instance = { ...instanceOf(service), port, metadata: { [`m${port}`]: 'x' } };
      const { leaseId } = await discovery.register({ instance, ttl: TTL });
      leaseIds.push(leaseId);
    }
    const { instances } = await discovery.discover({ service });
    expect(instances).toMatchObject([{ port: 3, leaseId: leaseIds[2] }]);
    expect(instances[0]?.metadata).toEqual({ m3: 'x' });
    expect((await storeStateOf(gateway.etcd)).leases).toBe(before.leases + 1);
    for (const leaseId of leaseIds.slice(0, 2))
      expect(await failureOf(leases.get({ leaseId }))).toMatchObject({ reason: 'LEASE_NOT_FOUND' });
  });

  it('ends who kept it: a managed one is renewed no longer once it sends heartbeats itself', async () => {
    const { discovery, leases } = clients;
    const instance = instanceOf(serviceName());
    const managed = await discovery.register({ instance, ttl: TTL, liveness: Liveness.MANAGED });
    expect(await leases.get({ leaseId: managed.leaseId })).toMatchObject({ autoRenewed: true });
    const { leaseId } = await discovery.register({ instance, ttl: TTL });
    expect(await leases.get({ leaseId })).toMatchObject({ autoRenewed: false });
    expect(await failureOf(leases.get({ leaseId: managed.leaseId }))).toMatchObject({
      reason: 'LEASE_NOT_FOUND',
    });
  });

  it('leaves the lease of another client, and what lives on it', async () => {
    const { discovery, leases, kv } = clients;
    const service = serviceName();
    const { leaseId } = await leases.grant({ ttl: TTL });
    const other = `others/${service}`;
    await kv.put({ key: other, leaseId });
    const alone = await leases.grant({ ttl: TTL });
    await kv.put({
      key: `/services/${service}/a`,
      value: '{"host":"h","port":1}',
      leaseId: alone.leaseId,
    });
    await discovery.register({ instance: instanceOf(service) });
    expect((await leases.get({ leaseId: alone.leaseId })).keys).toEqual([]);
    await kv.put({
      key: `/services/${service}/a`,
      value: '{"host":"h","port":1,"liveness":"HEARTBEAT"}',
      leaseId,
    });
    await discovery.register({ instance: instanceOf(service) });
    expect((await leases.get({ leaseId })).keys).toEqual([other]);
  });

  it('makes an id for each that has none', async () => {
    const { discovery } = clients;
    const service = serviceName();
    const instance = { service, host: 'h', port: 1 };
    const made = await Promise.all([discovery.register({ instance }), discovery.register({ instance })]);
    const ids = made.map((answer) => answer.instance?.instanceId ?? '');
    const { instances } = await discovery.discover({ service });
    expect(instances.map(({ instanceId }) => instanceId)).toEqual(ids.toSorted());
    expect(new Set(ids).size).toBe(2);
  });

  it('leaves no lease where the write does not happen', async () => {
    const { discovery } = clients;
    const before = await storeStateOf(gateway.etcd);
    const refused = discovery.register({ instance: instanceOf(serviceName()), expectedRevision: 5n });
    expect(await failureOf(refused)).toMatchObject({ reason: 'REVISION_MISMATCH' });
    await eventually(async () => expect(await storeStateOf(gateway.etcd)).toEqual(before));
  });
});

describe.each(['register', 'updateInstance', 'setStatus', 'unregister'] as const)('%s', (rpc) => {
  it('happens only at the revision that is expected', async () => {
    const service = serviceName();
    const { revision } = await clients.discovery.register({ instance: instanceOf(service) });
    const call = mutations(service)[rpc];
    for (const expectedRevision of [0n, revision - 1n, revision + 1n]) {
      expect(await failureOf(call({ expectedRevision }))).toMatchObject({
        code: 'Aborted',
        reason: 'REVISION_MISMATCH',
        metadata: {
          key: `/services/${service}/a`,
          expected_revision: String(expectedRevision),
          actual_revision: String(revision),
        },
      });
    }
    const answer = await call({ expectedRevision: revision });
    expect(answer.revision).toBeGreaterThan(revision);
  });

  it('happens only while the fencing token holds', async () => {
    const service = serviceName();
    const { revision } = await clients.discovery.register({ instance: instanceOf(service) });
    const call = mutations(service)[rpc];
    const { fencingToken } = await clients.locks.acquire({ name: service, ttl: TTL });
    const fence = (token: bigint) => ({ holder: { case: 'lock', value: service }, token }) as const;
    expect(await failureOf(call({ fence: fence(fencingToken + 1n) }))).toMatchObject({
      code: 'FailedPrecondition',
      reason: 'FENCE_LOST',
    });
    const { instance } = await clients.discovery.getInstance({ service, instanceId: 'a' });
    expect(instance?.revision).toBe(revision);
    const answer = await call({ fence: fence(fencingToken) });
    expect(answer.revision).toBeGreaterThan(revision);
  });
});

describe('a loss guard', () => {
  it('is set only while the fencing token holds', async () => {
    const { discovery } = clients;
    const service = serviceName();
    const fence = { holder: { case: 'lock', value: service }, token: 5n } as const;
    const set = discovery.setLossGuard({ service, maxLossPercent: 10, fence });
    expect(await failureOf(set)).toMatchObject({ code: 'FailedPrecondition', reason: 'FENCE_LOST' });
    expect(await discovery.getLossGuard({ service })).toMatchObject({ maxLossPercent: 0 });
  });
});

describe('an expected revision of 0', () => {
  it('registers what does not exist, once', async () => {
    const { discovery } = clients;
    const instance = instanceOf(serviceName());
    const calls = Array.from({ length: 5 }, () => discovery.register({ instance, expectedRevision: 0n }));
    const settled = await Promise.allSettled(calls);
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('takes out nothing', async () => {
    const name = { service: serviceName(), instanceId: 'a' };
    expect(await clients.discovery.unregister({ ...name, expectedRevision: 0n })).toMatchObject({
      unregistered: false,
    });
  });
});

describe('changes of one instance at once', () => {
  it('all happen, one after the other', async () => {
    const { discovery } = clients;
    const instance = instanceOf(serviceName());
    const { revision } = await discovery.register({ instance });
    const calls = Array.from({ length: 5 }, (_, i) =>
      i % 2 === 0
        ? discovery.setStatus({ ...instance, status: Status.DRAINING })
        : discovery.updateInstance({ instance: { ...instance, zone: `z${i}` } }),
    );
    const revisions = (await Promise.all(calls)).map((answer) => answer.revision);
    expect(new Set(revisions).size).toBe(5);
    expect(Math.min(...revisions.map(Number))).toBeGreaterThan(Number(revision));
  });
});
