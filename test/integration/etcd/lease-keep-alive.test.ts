import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type Etcd, openEtcd } from '../../../src/etcd/open-etcd.ts';
import { enableAuth } from '../../support/etcd-auth.ts';
import { countKeepAliveStreams, transferLeadership } from '../../support/etcd-lease-streams.ts';
import { eventually } from '../../support/eventually.ts';
import { startFaultProxy } from '../../support/fault-proxy.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startEtcdCluster } from '../../support/start-etcd-cluster.ts';

const ROOT = { username: 'root', password: 'root-secret' };
const TOKEN_TTL_S = 1;
/** Etcd looks for expired tokens every second, or later where it has much else to do. */
const EXPIRED_AFTER_MS = (TOKEN_TTL_S + 3) * 1_000;

describe('renewals of leases', { timeout: 180_000 }, () => {
  it('go through one stream, and each brings a lease back to its whole time to live', async () => {
    await using server = await startEtcd();
    await using etcd = openEtcd({ endpoints: [server.endpoint] });
    const ids = await grantMany(etcd, 1_000, 60n);
    await eventually(async () => expect(await remaining(etcd, ids[0])).toBeLessThan(59n));
    const { signal } = new AbortController();
    const asked = [...ids, ...ids, ...ids];
    const startMs = performance.now();
    const leases = await Promise.all(asked.map((leaseId) => etcd.leases.keepAlive(leaseId, { signal })));
    expect(leases.map(({ leaseId }) => leaseId)).toEqual(asked);
    expect(leases.every(({ ttlSeconds, revision }) => ttlSeconds === 60n && revision === 1n)).toBe(true);
    for (const leaseId of ids.slice(0, 10)) {
      const seconds = Number(await remaining(etcd, leaseId));
      // Renewed since then, and told in whole seconds: one that was not has less, since a second of it had passed before.
      expect(seconds).toBeGreaterThanOrEqual(60 - (performance.now() - startMs) / 1_000 - 1);
    }
    expect(await countKeepAliveStreams(server.endpoint)).toBe(1);
  });

  it('of leases that are gone fail beside others that succeed', async () => {
    await using server = await startEtcd();
    await using etcd = openEtcd({ endpoints: [server.endpoint] });
    const ids = await grantMany(etcd, 10, 60n);
    const gone = ids.filter((_, i) => i % 2 === 0);
    for (const leaseId of gone) await etcd.leases.revoke(leaseId, within());
    const outcomes = await Promise.allSettled(ids.map((id) => etcd.leases.keepAlive(id, within())));
    for (const [i, outcome] of outcomes.entries()) {
      if (i % 2 === 1) expect(outcome).toMatchObject({ value: { leaseId: ids[i], ttlSeconds: 60n } });
      else {
        const metadata = { lease_id: String(ids[i]) };
        expect(outcome).toMatchObject({ reason: { reason: 'LEASE_NOT_FOUND', metadata } });
      }
    }
    expect(await countKeepAliveStreams(server.endpoint)).toBe(1);
  });

  it('outlive connections that are cut, with and without an answer under way', async () => {
    await using server = await startEtcd();
    await using proxy = await startFaultProxy(server.port);
    await using etcd = openEtcd({ endpoints: [proxy.endpoint] });
    const ids = await grantMany(etcd, 500, 60n);
    for (const bytes of [0, 1, 2_000]) {
      const before = await countKeepAliveStreams(server.endpoint);
      await etcd.leases.keepAlive(ids[0] ?? 0n, within());
      const cut = proxy.cutAfter('toClient', bytes);
      await renewAll(etcd, ids);
      await cut;
      expect((await countKeepAliveStreams(server.endpoint)) - before).toBeLessThan(4);
    }
  });

  it('are made while etcd is down, and done when it is back', async () => {
    await using server = await startEtcd();
    await using etcd = openEtcd({ endpoints: [server.endpoint], times: { callTimeoutMs: 40_000 } });
    const ids = await grantMany(etcd, 100, 60n);
    await renewAll(etcd, ids);
    await server.kill();
    const renewed = renewAll(etcd, ids);
    await server.restart();
    await renewed;
    await renewAll(etcd, ids);
  });

  it('fail when etcd stays away as long as a call may take, and succeed later', async () => {
    await using server = await startEtcd();
    await using proxy = await startFaultProxy(server.port);
    await using etcd = openEtcd({ endpoints: [proxy.endpoint], times: { callTimeoutMs: 2_000 } });
    const ids = await grantMany(etcd, 10, 60n);
    await eventually(() => renewAll(etcd, ids));
    proxy.stall(['toServer', 'toClient']);
    const outcomes = await Promise.allSettled(ids.map((id) => etcd.leases.keepAlive(id, within())));
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ reason: { reason: 'STORE_UNAVAILABLE' } });
    }
    proxy.unstall();
    await eventually(() => renewAll(etcd, ids));
  });

  it('take a new token when theirs has expired', async () => {
    const args = ['--auth-token=simple', `--auth-token-ttl=${TOKEN_TTL_S}`, '--bcrypt-cost=4'];
    await using server = await startEtcd({ args });
    await enableAuth(server.endpoint, ROOT.password);
    await using proxy = await startFaultProxy(server.port);
    await using etcd = openEtcd({ endpoints: [proxy.endpoint], user: ROOT });
    const ids = await grantMany(etcd, 10, 60n);
    await renewAll(etcd, ids);
    for (const harm of [() => {}, () => proxy.cut()]) {
      await delay(EXPIRED_AFTER_MS);
      harm();
      await renewAll(etcd, ids);
    }
  });

  it('fail at once where etcd refuses the credentials', async () => {
    await using server = await startEtcd({ args: ['--bcrypt-cost=4'] });
    await enableAuth(server.endpoint, ROOT.password);
    await using etcd = openEtcd({ endpoints: [server.endpoint], user: { ...ROOT, password: 'wrong' } });
    await expect(etcd.leases.keepAlive(1n, within())).rejects.toMatchObject({
      reason: 'STORE_CREDENTIALS_REJECTED',
    });
  });

  it('end with their own signal, and leave others their order', async () => {
    await using server = await startEtcd();
    await using proxy = await startFaultProxy(server.port);
    await using etcd = openEtcd({ endpoints: [proxy.endpoint] });
    const ids = await grantMany(etcd, 10, 60n);
    await renewAll(etcd, ids);
    proxy.stall(['toServer', 'toClient']);
    const controller = new AbortController();
    const reason = new Error('enough');
    const renewals = Promise.allSettled(
      ids.map((id, i) => etcd.leases.keepAlive(id, i % 2 === 0 ? { signal: controller.signal } : within())),
    );
    const first = etcd.leases.keepAlive(ids[0] ?? 0n, { signal: controller.signal });
    controller.abort(reason);
    await expect(first).rejects.toBe(reason);
    proxy.unstall();
    for (const [i, outcome] of (await renewals).entries()) {
      expect(outcome).toMatchObject(i % 2 === 0 ? { reason } : { value: { leaseId: ids[i] } });
    }
  });

  it('end when the connection is closed, and cannot begin after', async () => {
    await using server = await startEtcd();
    await using proxy = await startFaultProxy(server.port);
    await using etcd = openEtcd({ endpoints: [proxy.endpoint] });
    const ids = await grantMany(etcd, 10, 60n);
    await renewAll(etcd, ids);
    proxy.stall(['toServer', 'toClient']);
    const renewals = Promise.allSettled(ids.map((id) => etcd.leases.keepAlive(id, within())));
    etcd.close();
    proxy.unstall();
    for (const outcome of await renewals) {
      expect(outcome).toMatchObject({ reason: { reason: 'STORE_UNAVAILABLE' } });
    }
    await expect(etcd.leases.keepAlive(1n, within())).rejects.toMatchObject({ reason: 'STORE_UNAVAILABLE' });
  });
});

describe('renewals of leases of a cluster', () => {
  it('go to the member that leads', async () => {
    await using cluster = await startEtcdCluster(3);
    const leader = await cluster.leader();
    for (let i = 0; i < 3; i++) {
      await using etcd = openEtcd({ endpoints: cluster.endpoints });
      await renewAll(etcd, await grantMany(etcd, 10, 60n));
    }
    for (const member of cluster.members) {
      expect(await countKeepAliveStreams(member.endpoint)).toBe(member === leader ? 3 : 0);
    }
  });

  it('follow the leader when another member leads', async () => {
    await using cluster = await startEtcdCluster(3);
    await using etcd = openEtcd({ endpoints: cluster.endpoints });
    const ids = await grantMany(etcd, 10, 60n);
    await renewAll(etcd, ids);
    const former = await cluster.leader();
    const next = cluster.members.find((member) => member !== former) ?? former;
    await transferLeadership(former.endpoint, next.endpoint);
    await eventually(async () => {
      await renewAll(etcd, ids);
      expect(await countKeepAliveStreams(next.endpoint)).toBe(1);
    });
  });

  it.each([
    ['killed', 'kill'],
    ['stalled with its connections open', 'pause'],
  ] as const)('go on, with all leases alive, when the leader is %s', async (_, harm) => {
    await using cluster = await startEtcdCluster(3);
    await using etcd = openEtcd({ endpoints: cluster.endpoints });
    const ids = await grantMany(etcd, 200, 10n);
    await renewAll(etcd, ids);
    const leader = await cluster.leader();
    const others = cluster.members.filter((member) => member !== leader);
    const countStreams = async () => {
      const counts = await Promise.all(others.map(({ endpoint }) => countKeepAliveStreams(endpoint)));
      return counts.reduce((sum, count) => sum + count);
    };
    const before = await countStreams();
    await leader[harm]();
    // A leader that is stalled may answer for a moment yet: it is over when another member renews.
    do {
      // Renewed by then means that the death of the leader took no more than half of the time to live.
      const late = { signal: AbortSignal.timeout(5_000) };
      await Promise.all(ids.map((leaseId) => etcd.leases.keepAlive(leaseId, late)));
    } while ((await countStreams()) === before);
    for (const leaseId of ids.slice(0, 10)) expect(await remaining(etcd, leaseId)).toBeGreaterThanOrEqual(5n);
    await renewAll(etcd, ids);
  });

  it('go on when the connection to the leader says nothing more, though the leader is well', async () => {
    await using cluster = await startEtcdCluster(3);
    const leader = await cluster.leader();
    await using proxy = await startFaultProxy(leader.port);
    const others = cluster.members.filter((member) => member !== leader);
    await using etcd = openEtcd({ endpoints: [proxy.endpoint, ...others.map(({ endpoint }) => endpoint)] });
    const ids = await grantMany(etcd, 50, 10n);
    await renewAll(etcd, ids);
    proxy.stall(['toClient'], 'open');
    await renewAll(etcd, ids);
  });

  it('are kept up through one change of leader after another', async () => {
    await using cluster = await startEtcdCluster(3);
    await using etcd = openEtcd({ endpoints: cluster.endpoints });
    const ids = await grantMany(etcd, 50, 10n);
    for (let change = 0; change < 3; change++) {
      const former = await cluster.leader();
      former.pause();
      try {
        await renewAll(etcd, ids);
        await cluster.leader();
        await renewAll(etcd, ids);
      } finally {
        former.resume();
      }
    }
    await renewAll(etcd, ids);
  });
});

function within(): { readonly signal: AbortSignal } {
  return { signal: AbortSignal.timeout(40_000) };
}

async function grantMany({ leases }: Etcd, count: number, ttlSeconds: bigint): Promise<readonly bigint[]> {
  const grants = Array.from({ length: count }, () => leases.grant({ ttlSeconds }, within()));
  return (await Promise.all(grants)).map(({ leaseId }) => leaseId);
}

async function renewAll({ leases }: Etcd, leaseIds: readonly bigint[]): Promise<void> {
  await Promise.all(leaseIds.map((leaseId) => leases.keepAlive(leaseId, within())));
}

async function remaining({ leases }: Etcd, leaseId = 0n): Promise<bigint> {
  return (await leases.timeToLive(leaseId, { withKeys: false }, within())).remainingTtlSeconds;
}
