import { randomInt, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { singleKey } from '../../../src/domain/key-range.ts';
import { type Etcd, openEtcd } from '../../../src/etcd/open-etcd.ts';
import { eventually } from '../../support/eventually.ts';
import { startFaultProxy } from '../../support/fault-proxy.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';

const MAX_SAFE_ID = 2n ** 52n;

describe('the leases of an etcd', () => {
  let server: TestEtcd;
  let etcd: Etcd;

  beforeAll(async () => {
    server = await startEtcd();
    etcd = openEtcd({ endpoints: [server.endpoint] });
  });

  afterAll(async () => {
    etcd?.close();
    await server?.stop();
  });

  it('are granted for at least the time asked for, under an id that a number holds', async () => {
    const before = await currentRevision(etcd);
    const lease = await etcd.leases.grant({ ttlSeconds: 60n }, within());
    expect(lease.ttlSeconds).toBe(60n);
    expect(lease.leaseId).toBeGreaterThan(0n);
    expect(lease.leaseId).toBeLessThanOrEqual(MAX_SAFE_ID);
    expect(lease.revision).toBe(before);
    const { ttlSeconds } = await etcd.leases.grant({ ttlSeconds: 9_000_000_000n }, within());
    expect(ttlSeconds).toBe(9_000_000_000n);
  });

  it.each([
    ['of the largest id', 2n ** 63n - 1n],
    ['of a negative id', -(2n ** 63n)],
  ])('%s are granted, renewed, read and revoked', async (_, leaseId) => {
    const { leases } = etcd;
    expect(await leases.grant({ ttlSeconds: 60n, leaseId }, within())).toMatchObject({ leaseId });
    expect(await leases.keepAlive(leaseId, within())).toMatchObject({ leaseId, ttlSeconds: 60n });
    expect(await leases.timeToLive(leaseId, { withKeys: false }, within())).toMatchObject({
      grantedTtlSeconds: 60n,
    });
    expect((await leases.list(within())).leaseIds).toContain(leaseId);
    await leases.revoke(leaseId, within());
    expect(await leases.isAlive(leaseId, within())).toBe(false);
  });

  it('are not granted under an id that is taken', async () => {
    const leaseId = newLeaseId();
    await etcd.leases.grant({ ttlSeconds: 60n, leaseId }, within());
    await expect(etcd.leases.grant({ ttlSeconds: 60n, leaseId }, within())).rejects.toMatchObject({
      reason: 'LEASE_ALREADY_EXISTS',
      metadata: { lease_id: String(leaseId) },
    });
  });

  it('say how long they live and which keys they hold', async () => {
    const { leases } = etcd;
    const { leaseId } = await leases.grant({ ttlSeconds: 60n }, within());
    const keys = [`test/${randomUUID()}`, `test/${randomUUID()}`].sort();
    for (const key of keys) await put(etcd, key, leaseId);
    const revision = await currentRevision(etcd);
    const status = await leases.timeToLive(leaseId, { withKeys: true }, within());
    expect(status).toMatchObject({ grantedTtlSeconds: 60n, revision });
    expect(status.remainingTtlSeconds).toBeGreaterThan(30n);
    expect(status.remainingTtlSeconds).toBeLessThanOrEqual(60n);
    expect(status.keys.map(String).sort()).toEqual(keys);
    expect((await leases.timeToLive(leaseId, { withKeys: false }, within())).keys).toEqual([]);
  });

  it('are listed', async () => {
    const ids = Array.from({ length: 20 }, newLeaseId);
    for (const leaseId of ids) await etcd.leases.grant({ ttlSeconds: 60n, leaseId }, within());
    const { leaseIds, revision } = await etcd.leases.list(within());
    expect(leaseIds).toEqual(expect.arrayContaining(ids));
    expect(revision).toBe(await currentRevision(etcd));
  });

  it('delete their keys when they are revoked, at the revision returned', async () => {
    const { leases } = etcd;
    const { leaseId } = await leases.grant({ ttlSeconds: 60n }, within());
    const key = `test/${randomUUID()}`;
    await put(etcd, key, leaseId);
    const before = await currentRevision(etcd);
    const { revision } = await leases.revoke(leaseId, within());
    expect(revision).toBe(before + 1n);
    expect(await holds(etcd, key, before)).toBe(true);
    expect(await holds(etcd, key, revision)).toBe(false);
  });

  it('are gone for every call once they were revoked, or if they never were', async () => {
    const { leases } = etcd;
    const { leaseId: revoked } = await leases.grant({ ttlSeconds: 60n }, within());
    await leases.revoke(revoked, within());
    for (const leaseId of [revoked, newLeaseId(), 0n]) {
      const gone = { reason: 'LEASE_NOT_FOUND', metadata: { lease_id: String(leaseId) } };
      await expect(leases.keepAlive(leaseId, within())).rejects.toMatchObject(gone);
      await expect(leases.timeToLive(leaseId, { withKeys: true }, within())).rejects.toMatchObject(gone);
      await expect(leases.revoke(leaseId, within())).rejects.toMatchObject(gone);
      expect(await leases.isAlive(leaseId, within())).toBe(false);
    }
  });

  it('expire where nothing renews them', async () => {
    const { leases } = etcd;
    const { leaseId } = await leases.grant({ ttlSeconds: 1n }, within());
    const key = `test/${randomUUID()}`;
    await put(etcd, key, leaseId);
    await eventually(async () => expect(await holds(etcd, key)).toBe(false));
    await expect(leases.keepAlive(leaseId, within())).rejects.toMatchObject({ reason: 'LEASE_NOT_FOUND' });
  });

  it('are of unknown outcome where the answer to a grant is lost', async () => {
    await using proxy = await startFaultProxy(server.port);
    await using faulty = openEtcd({ endpoints: [proxy.endpoint], times: { callTimeoutMs: 1_000 } });
    await eventually(() => faulty.leases.grant({ ttlSeconds: 60n }, within()));
    proxy.stall(['toClient']);
    const leaseId = newLeaseId();
    await expect(faulty.leases.grant({ ttlSeconds: 60n, leaseId }, within())).rejects.toMatchObject({
      reason: 'OUTCOME_UNKNOWN',
    });
    await eventually(async () => expect(await etcd.leases.isAlive(leaseId, within())).toBe(true));
  });

  it('are called in vain with a signal that has aborted', async () => {
    const { leases } = etcd;
    const reason = new Error('enough');
    const options = { signal: AbortSignal.abort(reason) };
    await expect(leases.grant({ ttlSeconds: 60n }, options)).rejects.toBe(reason);
    await expect(leases.keepAlive(1n, options)).rejects.toBe(reason);
    await expect(leases.timeToLive(1n, { withKeys: false }, options)).rejects.toBe(reason);
    await expect(leases.list(options)).rejects.toBe(reason);
    await expect(leases.revoke(1n, options)).rejects.toBe(reason);
  });
});

function within(): { readonly signal: AbortSignal } {
  return { signal: AbortSignal.timeout(30_000) };
}

function newLeaseId(): bigint {
  return BigInt(randomInt(1, 2 ** 47));
}

async function put({ store }: Etcd, key: string, leaseId: bigint): Promise<void> {
  const operation = { kind: 'put', key: Buffer.from(key), value: Buffer.from('v'), leaseId } as const;
  await store.txn({ kind: 'txn', compares: [], success: [operation], failure: [] }, within());
}

/** Whether a key exists, now or at a revision. */
async function holds({ store }: Etcd, key: string, revision = 0n): Promise<boolean> {
  const range = singleKey(Buffer.from(key));
  return (await store.read({ kind: 'read', range, revision }, within())).kvs.length > 0;
}

async function currentRevision({ store }: Etcd): Promise<bigint> {
  return (await store.read({ kind: 'read', range: singleKey(Buffer.from('none')) }, within())).revision;
}
