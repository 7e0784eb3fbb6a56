import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { openEtcd } from '../../../src/etcd/open-etcd.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { openClients } from '../../support/open-clients.ts';
import { runConcord } from '../../support/run-concord.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startEtcdCluster } from '../../support/start-etcd-cluster.ts';
import { startGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { openHold } from './hold-stream.ts';

/** A third of it is longer than any test waits: no renewal tells that such a lease is gone. */
const LONG = { seconds: 600n };
const TIMEOUT_MS = 180_000;

describe('a Hold whose lease ends', () => {
  it('fails at once where another gateway revokes it', async () => {
    await using gateway = await startGatewayOnEtcd();
    await using other = await startGateway([gateway.etcd.endpoint]);
    await using hold = await openHold(openClients(gateway.url), { ttl: LONG });
    const { leaseId } = hold.first;
    await openClients(other.url).leases.revoke({ leaseId });
    expect(await hold.failure()).toMatchObject({
      code: 'NotFound',
      reason: 'LEASE_NOT_FOUND',
      metadata: { lease_id: String(leaseId) },
    });
    expect(gateway.app.stats().sessions).toBe(0);
  });

  it('fails at once where any other client of etcd revokes it, and where its record is deleted', async () => {
    await using gateway = await startGatewayOnEtcd();
    await using etcd = openEtcd({ endpoints: [gateway.etcd.endpoint] });
    const clients = openClients(gateway.url);
    await using revoked = await openHold(clients, { ttl: LONG });
    await using deleted = await openHold(clients, { ttl: LONG });
    await etcd.leases.revoke(revoked.first.leaseId, { signal: AbortSignal.timeout(30_000) });
    expect(await revoked.failure()).toMatchObject({ reason: 'LEASE_NOT_FOUND' });
    await clients.kv.deleteRange({ prefix: '/concord/lease/session/' });
    expect(await deleted.failure()).toMatchObject({ reason: 'LEASE_NOT_FOUND' });
  });

  it(
    'is told so while etcd is silent, by the time alone',
    async () => {
      await using gateway = await startGatewayOnEtcd();
      const clients = openClients(gateway.url);
      await using hold = await openHold(clients, { ttl: { seconds: 3n } });
      const key = `test/${randomUUID()}`;
      await clients.kv.put({ key, leaseId: hold.first.leaseId });
      await hold.renewed(2);
      gateway.etcd.pause();
      expect(await hold.failure(30_000)).toMatchObject({ code: 'NotFound', reason: 'LEASE_NOT_FOUND' });
      expect(gateway.etcd.isPaused).toBe(true);
      expect(hold.last.expireTime?.seconds).toBeGreaterThan(0n);
      gateway.etcd.resume();
      await eventually(async () => {
        expect(await failureOf(clients.kv.get({ key }))).toMatchObject({ reason: 'KEY_NOT_FOUND' });
      }, 30_000);
    },
    TIMEOUT_MS,
  );

  it(
    'does not fail where etcd is silent for less than the lease lives, or is restarted',
    async () => {
      await using gateway = await startGatewayOnEtcd();
      const clients = openClients(gateway.url);
      await using hold = await openHold(clients, { ttl: { seconds: 30n } });
      const key = `test/${randomUUID()}`;
      await clients.kv.put({ key, leaseId: hold.first.leaseId });
      await gateway.etcd.kill();
      await gateway.etcd.restart();
      await hold.renewed(1);
      expect(hold.end).toBeUndefined();
      await eventually(async () => expect((await clients.kv.get({ key })).kv?.version).toBe(1n));
    },
    TIMEOUT_MS,
  );

  it(
    'is told so by a gateway that stood still, which renews it no more',
    async () => {
      await using etcd = await startEtcd();
      await using direct = openEtcd({ endpoints: [etcd.endpoint] });
      await using gateway = await runConcord({ env: { ETCD_ENDPOINTS: etcd.endpoint } });
      await using hold = await openHold(openClients(gateway.url), { ttl: { seconds: 2n } });
      const { leaseId } = hold.first;
      gateway.signal('SIGSTOP');
      try {
        await eventually(async () => {
          expect(await direct.leases.isAlive(leaseId, { signal: AbortSignal.timeout(30_000) })).toBe(false);
        }, 30_000);
      } finally {
        gateway.signal('SIGCONT');
      }
      const { length } = hold.messages;
      expect(await hold.failure()).toMatchObject({ reason: 'LEASE_NOT_FOUND' });
      expect(hold.messages.length - length).toBeLessThanOrEqual(1);
    },
    TIMEOUT_MS,
  );

  it(
    'is told so by a gateway that stood still, which does nothing to another lease of that id',
    async () => {
      await using etcd = await startEtcd();
      await using direct = openEtcd({ endpoints: [etcd.endpoint] });
      const within = () => ({ signal: AbortSignal.timeout(30_000) });
      await using gateway = await runConcord({ env: { ETCD_ENDPOINTS: etcd.endpoint } });
      const clients = openClients(gateway.url);
      const leaseId = 4_711n;
      await clients.leases.grant({ leaseId, ttl: { seconds: 2n } });
      await using hold = await openHold(clients, { leaseId });
      gateway.signal('SIGSTOP');
      try {
        await eventually(() => direct.leases.grant({ leaseId, ttlSeconds: 600n }, within()), 30_000);
      } finally {
        gateway.signal('SIGCONT');
      }
      expect(await hold.failure()).toMatchObject({ reason: 'LEASE_NOT_FOUND' });
      // What the gateway does about the loss, it does at once: before it has ended a session that comes after.
      const after = await openHold(clients, { ttl: LONG });
      await after[Symbol.asyncDispose]();
      await eventually(async () => {
        expect(await direct.leases.isAlive(after.first.leaseId, within())).toBe(false);
      });
      expect(await direct.leases.isAlive(leaseId, within())).toBe(true);
    },
    TIMEOUT_MS,
  );
});

describe('a Hold on a cluster', () => {
  it(
    'goes on when the member that leads is killed',
    async () => {
      await using cluster = await startEtcdCluster();
      await using gateway = await startGateway(cluster.endpoints);
      const clients = openClients(gateway.url);
      await using hold = await openHold(clients, { ttl: { seconds: 15n } });
      const key = `test/${randomUUID()}`;
      await clients.kv.put({ key, leaseId: hold.first.leaseId });
      await (await cluster.leader()).kill();
      await hold.renewed(4);
      expect(hold.end).toBeUndefined();
      expect((await clients.kv.get({ key })).kv?.version).toBe(1n);
    },
    TIMEOUT_MS,
  );
});
