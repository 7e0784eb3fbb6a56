import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Lease } from '../../../gen/concord/lease/v1/lease_pb.ts';
import { openEtcd } from '../../../src/etcd/open-etcd.ts';
import { failureOf } from '../../support/failure-of.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import type { TestGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';

const TTL = { seconds: 600n };
const COUNT = 250;

let gateway: TestGateway & { readonly etcd: TestEtcd };
let clients: Clients;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
  clients = openClients(gateway.url);
  for (let i = 1; i <= COUNT; i++) {
    await clients.leases.grant({ ttl: TTL, leaseId: BigInt(i * 1_000), autoRenew: i % 50 === 0 });
  }
  await using etcd = openEtcd({ endpoints: [gateway.etcd.endpoint] });
  for (const leaseId of [-5n, -(2n ** 63n), 2n ** 63n - 1n]) {
    await etcd.leases.grant({ ttlSeconds: TTL.seconds, leaseId }, { signal: AbortSignal.timeout(30_000) });
  }
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

/** All leases but the gateway's own, page by page. */
async function listAll(pageSize: number): Promise<{ leases: readonly Lease[]; pages: number }> {
  const leases: Lease[] = [];
  let pages = 0;
  let pageToken = '';
  do {
    const page = await clients.leases.list({ pageSize, pageToken });
    expect(page.leases.length).toBeLessThanOrEqual(pageSize || 100);
    expect(page.totalSize).toBeGreaterThanOrEqual(BigInt(COUNT + 3));
    leases.push(...page.leases);
    pages += 1;
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  return { leases, pages };
}

describe('LeaseService.List', () => {
  it.each([0, 1_000, 100, 7])('lists every lease once, in order, in pages of %i', async (pageSize) => {
    const { leases, pages } = await listAll(pageSize);
    const ids = leases.map(({ leaseId }) => leaseId);
    expect(ids).toEqual([...new Set(ids)].sort((a, b) => (a < b ? -1 : 1)));
    const granted = Array.from({ length: COUNT }, (_, i) => BigInt((i + 1) * 1_000));
    expect(ids).toEqual(expect.arrayContaining([-(2n ** 63n), -5n, ...granted, 2n ** 63n - 1n]));
    expect(pages).toBe(Math.ceil(leases.length / (pageSize || 100)));
  });

  it('says how long each lives, and which are renewed and held', async () => {
    const controller = new AbortController();
    const stream = clients.leases.hold({ leaseId: 3_000n }, { signal: controller.signal });
    try {
      await stream[Symbol.asyncIterator]().next();
      const { leases } = await listAll(1_000);
      const granted = leases.filter(({ leaseId }) => leaseId > 0n && leaseId <= COUNT * 1_000);
      for (const lease of granted) {
        expect(lease.grantedTtl?.seconds).toBe(TTL.seconds);
        expect(lease.remainingTtl?.seconds).toBeGreaterThan(TTL.seconds - 100n);
      }
      const renewed = granted.filter(({ autoRenewed }) => autoRenewed).map(({ leaseId }) => leaseId);
      expect(renewed).toEqual([50_000n, 100_000n, 150_000n, 200_000n, 250_000n]);
      expect(granted.filter(({ held }) => held).map(({ leaseId }) => leaseId)).toEqual([3_000n]);
    } finally {
      controller.abort();
    }
  });

  it('goes on behind a lease that has ended since', async () => {
    const { leases } = clients;
    const ids = [10_500n, 11_500n, 12_500n];
    for (const leaseId of ids) await leases.grant({ ttl: TTL, leaseId });
    let pageToken = '';
    do {
      const page = await leases.list({ pageSize: 1, pageToken });
      pageToken = page.nextPageToken;
      if (page.leases[0]?.leaseId === 11_500n) break;
    } while (pageToken !== '');
    await leases.revoke({ leaseId: 11_500n });
    const next = await leases.list({ pageSize: 2, pageToken });
    expect(next.leases.map(({ leaseId }) => leaseId)).toEqual([12_000n, 12_500n]);
  });

  it('refuses a page token that is damaged or not its own', async () => {
    const { nextPageToken } = await clients.leases.list({ pageSize: 1 });
    await clients.kv.batchPut({ entries: ['a', 'b'].map((name) => ({ key: `list/${name}` })) });
    const other = await clients.kv.list({ prefix: 'list/', pageSize: 1 });
    for (const pageToken of ['x', nextPageToken.slice(1), `${nextPageToken}AA`, other.nextPageToken]) {
      expect(await failureOf(clients.leases.list({ pageToken })), pageToken).toMatchObject({
        code: 'InvalidArgument',
        reason: 'PAGE_TOKEN_INVALID',
      });
    }
  });
});

describe('LeaseService.Get', () => {
  it('names the first 1000 keys of a lease, and counts them all', async () => {
    const { leaseId } = await clients.leases.grant({ ttl: TTL });
    const prefix = `test/${randomUUID()}/`;
    const names = Array.from({ length: 1_200 }, (_, i) => `${prefix}${i}`);
    for (let from = 0; from < names.length; from += 100) {
      await clients.kv.batchPut({ entries: names.slice(from, from + 100).map((key) => ({ key, leaseId })) });
    }
    const lease = await clients.leases.get({ leaseId });
    expect(lease.keyCount).toBe(1_200n);
    expect(lease.keys).toHaveLength(1_000);
    expect(new Set(lease.keys).size).toBe(1_000);
    const known = new Set(names);
    expect(lease.keys.every((key) => known.has(key))).toBe(true);
  });
});
