import { describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startEtcdCluster } from '../../support/start-etcd-cluster.ts';
import { countRenewals, grantRenewed, type Replica, Replicas, renewedByEach, sum } from './renewed-leases.ts';

const COUNT = 1_000;
const TTL_SECONDS = 15;
/** A lease that is not renewed ends within this, also where etcd has much else to do. */
const END_MS = 90_000;
const TIMEOUT_MS = 600_000;
/** The gateways have agreed on who renews what within this. */
const SHARED_MS = 90_000;

function settledAt(replicas: readonly Replica[], count: number): Promise<void> {
  return eventually(async () => expect(sum(await renewedByEach(replicas))).toBe(count), SHARED_MS);
}

async function startStore(size: number) {
  if (size > 1) return startEtcdCluster(size);
  const etcd = await startEtcd();
  return {
    endpoints: [etcd.endpoint],
    [Symbol.asyncDispose]: () => etcd.stop(),
  };
}

describe('auto-renewal by three gateways', () => {
  // One after the other: together they would be eleven processes, with leases that do not outlive a long pause of one.
  it.each([1, 3])(
    'loses no lease when one is killed, and renews what it is told to and nothing else, on an etcd of %i',
    async (size) => {
      await using store = await startStore(size);
      await using replicas = new Replicas(store.endpoints);
      const killed = await replicas.start();
      const survivors = [await replicas.start(), await replicas.start()];
      const [first = killed, second = killed] = survivors;
      const { clients } = first;
      const renewed = await grantRenewed(killed.clients, { count: COUNT, ttlSeconds: TTL_SECONDS });
      await settledAt([killed, ...survivors], COUNT);
      for (const part of await renewedByEach([killed, ...survivors]))
        expect(part).toBeGreaterThan(COUNT / 10);

      killed.concord.signal('SIGKILL');
      await killed.concord.exited;
      await settledAt(survivors, COUNT);
      // Each is renewed seven times more, which takes more than twice as long as any lives.
      const before = await countRenewals(store.endpoints);
      const startMs = performance.now();
      await eventually(
        async () => expect(await countRenewals(store.endpoints)).toBeGreaterThan(before + 7 * COUNT),
        180_000,
      );
      const renewals = (await countRenewals(store.endpoints)) - before;
      const passedMs = performance.now() - startMs;
      expect((await renewed.alive(clients)).size).toBe(COUNT);
      // Renewed by two, it would be twice as often as by one: every 4 s to 5 s.
      expect(renewals / COUNT).toBeLessThan((1.4 * passedMs) / 4_000);

      const stopped = renewed.leaseIds.slice(0, 100);
      const revoked = renewed.leaseIds.slice(100, 200);
      const others = renewed.leaseIds.slice(200);
      for (const leaseId of revoked) await second.clients.leases.revoke({ leaseId });
      for (const leaseId of stopped) await clients.leases.stopAutoRenew({ leaseId });
      await eventually(async () => {
        expect([...(await renewed.alive(clients))].sort()).toEqual([...others].sort());
      }, END_MS);
      for (const leaseId of [...stopped.slice(0, 5), ...revoked.slice(0, 5)]) {
        expect(await failureOf(clients.leases.get({ leaseId }))).toMatchObject({ reason: 'LEASE_NOT_FOUND' });
      }

      const joined = await replicas.start();
      await eventually(async () => {
        const parts = await renewedByEach([...survivors, joined]);
        expect(sum(parts)).toBe(others.length);
        for (const part of parts) expect(part).toBeGreaterThan(others.length / 10);
      }, SHARED_MS);
      expect((await renewed.alive(joined.clients)).size).toBe(others.length);
    },
    TIMEOUT_MS,
  );
});
