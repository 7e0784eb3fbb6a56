import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { countRenewals, grantRenewed, type Replica, Replicas, renewedByEach, sum } from './renewed-leases.ts';

const TTL_SECONDS = 15;
const END_MS = 90_000;
const TIMEOUT_MS = 600_000;

let etcd: TestEtcd;

beforeAll(async () => {
  etcd = await startEtcd();
});

afterAll(async () => {
  await etcd?.stop();
});

/** Resolves when every lease was renewed so often: four times take longer than any lives by one renewal. */
async function renewedTimes(times: number, count: number): Promise<void> {
  const before = await countRenewals([etcd.endpoint]);
  await eventually(async () => {
    expect(await countRenewals([etcd.endpoint])).toBeGreaterThan(before + times * count);
  }, 240_000);
}

function settledAt(replicas: readonly Replica[], count: number): Promise<void> {
  return eventually(async () => expect(sum(await renewedByEach(replicas))).toBe(count), 90_000);
}

describe('auto-renewal', () => {
  it(
    'loses no lease while all gateways are replaced, one after the other',
    async () => {
      const count = 500;
      await using replicas = new Replicas([etcd.endpoint]);
      const first = await replicas.start();
      let running = [first, await replicas.start(), await replicas.start()];
      const renewed = await grantRenewed(first.clients, { count, ttlSeconds: TTL_SECONDS });
      for (const old of running) {
        old.concord.signal('SIGTERM');
        expect(await old.concord.exited).toMatchObject({ code: 0 });
        running = [...running.filter((replica) => replica !== old), await replicas.start()];
        await settledAt(running, count);
      }
      await renewedTimes(4, count);
      const [last = first] = running;
      expect((await renewed.alive(last.clients)).size).toBe(count);
      for (const leaseId of renewed.leaseIds) await last.clients.leases.revoke({ leaseId });
      await settledAt(running, 0);
    },
    TIMEOUT_MS,
  );

  it(
    'loses no lease to a gateway that stands still and goes on, and shares them again',
    async () => {
      const count = 300;
      await using replicas = new Replicas([etcd.endpoint]);
      const still = await replicas.start();
      const others = [await replicas.start(), await replicas.start()];
      const renewed = await grantRenewed(still.clients, { count, ttlSeconds: TTL_SECONDS });
      await settledAt([still, ...others], count);
      const [part = 0] = await renewedByEach([still]);
      expect(part).toBeGreaterThan(0);
      still.concord.signal('SIGSTOP');
      await settledAt(others, count);
      await renewedTimes(2, count);
      still.concord.signal('SIGCONT');
      await settledAt([still, ...others], count);
      expect(await renewedByEach([still])).toEqual([part]);
      await renewedTimes(4, count);
      expect((await renewed.alive(still.clients)).size).toBe(count);
      for (const leaseId of renewed.leaseIds) await still.clients.leases.revoke({ leaseId });
    },
    TIMEOUT_MS,
  );

  it(
    'goes on when etcd was killed and comes back',
    async () => {
      const count = 300;
      await using replicas = new Replicas([etcd.endpoint]);
      const first = await replicas.start();
      const running = [first, await replicas.start()];
      const { clients } = first;
      const renewed = await grantRenewed(clients, { count, ttlSeconds: TTL_SECONDS });
      await settledAt(running, count);
      await etcd.kill();
      await etcd.restart();
      await renewedTimes(4, count);
      await settledAt(running, count);
      expect((await renewed.alive(clients)).size).toBe(count);
      for (const leaseId of renewed.leaseIds) await clients.leases.revoke({ leaseId });
    },
    TIMEOUT_MS,
  );

  it(
    'ends where its records are deleted, by whomever',
    async () => {
      const count = 50;
      await using replicas = new Replicas([etcd.endpoint]);
      const first = await replicas.start();
      const running = [first, await replicas.start()];
      const { clients } = first;
      const renewed = await grantRenewed(clients, { count, ttlSeconds: 3 });
      await settledAt(running, count);
      await clients.kv.deleteRange({ prefix: '/concord/lease/' });
      await settledAt(running, 0);
      await eventually(async () => expect((await renewed.alive(clients)).size).toBe(0), END_MS);
      // The gateways have said again that they are alive, and share what comes next.
      const next = await grantRenewed(clients, { count, ttlSeconds: TTL_SECONDS });
      await settledAt(running, count);
      for (const part of await renewedByEach(running)) expect(part).toBeGreaterThan(0);
      expect((await next.alive(clients)).size).toBe(count);
    },
    TIMEOUT_MS,
  );
});
