import { randomInt, randomUUID } from 'node:crypto';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Consistency, Encoding } from '../../../gen/concord/kv/v1/reading_pb.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { openClients } from '../../support/open-clients.ts';
import { PROTOCOLS } from '../../support/protocols.ts';
import type { TestGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';

const ttl = (seconds: number, nanos = 0) => ({ seconds: BigInt(seconds), nanos });
const newLeaseId = () => BigInt(randomInt(2 ** 48 - 1) + 1);

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

describe.each(PROTOCOLS)('LeaseService over $name', ({ open }) => {
  const clients = () => openClients(gateway.url, open(gateway.url));

  it('grants leases under ids that a JavaScript number holds, and says when they end', async () => {
    const { leases } = clients();
    const beforeMs = Date.now();
    const lease = await leases.grant({ ttl: ttl(60) });
    expect(lease.leaseId).toBeGreaterThan(0n);
    expect(lease.leaseId).toBeLessThan(2n ** 53n);
    expect(lease.ttl).toMatchObject(ttl(60));
    expect(lease.revision).toBeGreaterThan(0n);
    const expireMs = lease.expireTime && timestampMs(lease.expireTime);
    expect(expireMs).toBeGreaterThan(beforeMs + 59_000);
    expect(expireMs).toBeLessThanOrEqual(Date.now() + 60_000);
  });

  it('grants a lease under the id that is asked for, once', async () => {
    const { leases } = clients();
    const leaseId = newLeaseId();
    expect(await leases.grant({ ttl: ttl(60), leaseId })).toMatchObject({ leaseId });
    expect(await failureOf(leases.grant({ ttl: ttl(60), leaseId }))).toMatchObject({
      code: 'AlreadyExists',
      reason: 'LEASE_ALREADY_EXISTS',
      metadata: { lease_id: String(leaseId) },
    });
  });

  it('tells what a lease is: its times, its keys and who renews it', async () => {
    const { leases, kv } = clients();
    const { leaseId } = await leases.grant({ ttl: ttl(60) });
    const names = [`test/${randomUUID()}`, `test/${randomUUID()}`].sort();
    for (const key of names) await kv.put({ key, leaseId });
    const notText = Buffer.concat([Buffer.from(`test/${randomUUID()}/`), Buffer.of(0xff, 0x00)]);
    const { revision } = await kv.put({ keyBytes: notText, leaseId });

    const lease = await leases.get({ leaseId, minRevision: revision });
    expect(lease).toMatchObject({ leaseId, revision, keyCount: 3n, autoRenewed: false, held: false });
    expect(lease.grantedTtl).toMatchObject(ttl(60));
    expect(lease.remainingTtl?.seconds).toBeGreaterThan(30n);
    expect(lease.remainingTtl?.seconds).toBeLessThanOrEqual(60n);
    expect([...lease.keys].sort()).toEqual(names);
    expect(lease.keysBytes.map((key) => Buffer.from(key))).toEqual([notText]);

    const inBytes = await leases.get({ leaseId, encoding: Encoding.BYTES });
    expect([inBytes.keys.length, inBytes.keysBytes.length]).toEqual([0, 3]);
  });

  it('renews a lease once', async () => {
    const { leases } = clients();
    const { leaseId } = await leases.grant({ ttl: ttl(60) });
    const beforeMs = Date.now();
    const renewed = await leases.renew({ leaseId });
    expect(renewed.ttl).toMatchObject(ttl(60));
    expect(renewed.expireTime && timestampMs(renewed.expireTime)).toBeGreaterThan(beforeMs + 59_000);
  });

  it('renews a lease itself, from its grant on or later, until it is told to stop', async () => {
    const { leases } = clients();
    const { leaseId } = await leases.grant({ ttl: ttl(60), autoRenew: true });
    const { leaseId: later } = await leases.grant({ ttl: ttl(60) });
    const flags = async () => [
      (await leases.get({ leaseId })).autoRenewed,
      (await leases.get({ leaseId: later })).autoRenewed,
    ];
    expect(await flags()).toEqual([true, false]);
    await leases.startAutoRenew({ leaseId: later });
    await leases.startAutoRenew({ leaseId: later });
    expect(await flags()).toEqual([true, true]);
    const { revision } = await leases.stopAutoRenew({ leaseId });
    await leases.stopAutoRenew({ leaseId });
    expect(revision).toBeGreaterThan(0n);
    expect(await flags()).toEqual([false, true]);
  });

  it('revokes a lease with its keys, at the revision that it says', async () => {
    const { leases, kv } = clients();
    const { leaseId } = await leases.grant({ ttl: ttl(60), autoRenew: true });
    const key = `test/${randomUUID()}`;
    await kv.put({ key, leaseId });
    const { revision } = await leases.revoke({ leaseId });
    expect((await kv.get({ key, revision: revision - 1n })).kv?.leaseId).toBe(leaseId);
    expect(await failureOf(kv.get({ key, minRevision: revision }))).toMatchObject({
      reason: 'KEY_NOT_FOUND',
    });
  });

  it('holds a lease while its stream is open', async () => {
    const { leases, kv } = clients();
    const controller = new AbortController();
    const stream = leases.hold({ ttl: ttl(60) }, { signal: controller.signal });
    const first = await stream[Symbol.asyncIterator]().next();
    expect(first.done).toBe(false);
    const { leaseId, resumeToken, expireTime, revision } = first.value;
    expect(leaseId).toBeLessThan(2n ** 53n);
    expect(resumeToken).not.toBe('');
    expect(revision).toBeGreaterThan(0n);
    expect(timestampMs(expireTime)).toBeGreaterThan(Date.now());
    const key = `test/${randomUUID()}`;
    await kv.put({ key, leaseId });
    expect(await leases.get({ leaseId })).toMatchObject({ held: true, keys: expect.arrayContaining([key]) });
    controller.abort();
    await eventually(async () => {
      expect(await failureOf(leases.get({ leaseId }))).toMatchObject({ reason: 'LEASE_NOT_FOUND' });
    });
    expect(await failureOf(kv.get({ key }))).toMatchObject({ reason: 'KEY_NOT_FOUND' });
  });

  it('knows no lease that is gone, whatever is asked of it', async () => {
    const { leases } = clients();
    const { leaseId: revoked } = await leases.grant({ ttl: ttl(60) });
    await leases.revoke({ leaseId: revoked });
    for (const leaseId of [revoked, newLeaseId(), 2n ** 63n - 1n]) {
      const hold = async () => {
        for await (const _ of leases.hold({ leaseId }));
      };
      const calls = {
        renew: leases.renew({ leaseId }),
        get: leases.get({ leaseId }),
        revoke: leases.revoke({ leaseId }),
        startAutoRenew: leases.startAutoRenew({ leaseId }),
        stopAutoRenew: leases.stopAutoRenew({ leaseId }),
        hold: hold(),
      };
      const failures = Object.entries(calls).map(async ([rpc, call]) => {
        expect(await failureOf(call), rpc).toMatchObject({
          code: 'NotFound',
          reason: 'LEASE_NOT_FOUND',
          metadata: { lease_id: String(leaseId) },
        });
      });
      await Promise.all(failures);
    }
  });

  it('answers no older than it is asked to, and not before the store is there', async () => {
    const { leases, kv } = clients();
    const { leaseId } = await leases.grant({ ttl: ttl(60) });
    const { revision } = await kv.put({ key: `test/${randomUUID()}`, leaseId });
    for (const consistency of [Consistency.LINEARIZABLE, Consistency.SERIALIZABLE]) {
      const freshness = { consistency, minRevision: revision };
      expect((await leases.get({ leaseId, ...freshness })).revision).toBeGreaterThanOrEqual(revision);
      expect((await leases.list(freshness)).revision).toBeGreaterThanOrEqual(revision);
      const future = { consistency, minRevision: 2n ** 60n };
      for (const call of [() => leases.get({ leaseId, ...future }), () => leases.list(future)]) {
        expect(await failureOf(call())).toMatchObject({
          code: 'OutOfRange',
          reason: 'REVISION_IN_FUTURE',
          metadata: { revision: String(2n ** 60n) },
        });
      }
    }
  });
});
