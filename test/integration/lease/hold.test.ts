import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { startFaultProxy } from '../../support/fault-proxy.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { expireTimesOf, openHold } from './hold-stream.ts';

/** Longer than any test waits: what is gone before was revoked, and did not expire. */
const LONG = { seconds: 600n };

let etcd: TestEtcd;
let gateway: TestGateway;
let other: TestGateway;
let clients: Clients;

beforeAll(async () => {
  etcd = await startEtcd();
  gateway = await startGateway([etcd.endpoint], { CONCORD_PING_INTERVAL: '2s' });
  other = await startGateway([etcd.endpoint]);
  clients = openClients(gateway.url);
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await other?.[Symbol.asyncDispose]();
  await etcd?.stop();
});

async function putOn(leaseId: bigint): Promise<string> {
  const key = `test/${randomUUID()}`;
  await clients.kv.put({ key, leaseId });
  return key;
}

async function isGone(key: string): Promise<void> {
  expect(await failureOf(clients.kv.get({ key }))).toMatchObject({ reason: 'KEY_NOT_FOUND' });
}

describe('a Hold', () => {
  it('keeps its lease and keys for many times the time to live, and says each time until when', async () => {
    await using hold = await openHold(clients, { ttl: { seconds: 2n } });
    const key = await putOn(hold.first.leaseId);
    await hold.renewed(10);
    const times = expireTimesOf(hold);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(new Set(times).size).toBe(times.length);
    for (const { leaseId, resumeToken, ttl, revision } of hold.messages) {
      expect({ leaseId, resumeToken, ttl, revision }).toEqual({
        leaseId: hold.first.leaseId,
        resumeToken: hold.first.resumeToken,
        ttl: hold.first.ttl,
        revision: hold.first.revision,
      });
    }
    expect((await clients.kv.get({ key })).kv).toMatchObject({ version: 1n, leaseId: hold.first.leaseId });
    expect(hold.end).toBeUndefined();
  }, 120_000);

  it('that is canceled revokes its lease at once', async () => {
    const hold = await openHold(clients, { ttl: LONG });
    const key = await putOn(hold.first.leaseId);
    await hold[Symbol.asyncDispose]();
    await eventually(() => isGone(key));
  });

  it.each([
    ['breaks', 'cut'],
    ['goes silent', 'stall'],
  ] as const)('whose connection %s revokes its lease', async (_, fault) => {
    await using proxy = await startFaultProxy(gateway.port);
    await using hold = await openHold(openClients(proxy.endpoint), { ttl: LONG });
    const key = await putOn(hold.first.leaseId);
    if (fault === 'cut') proxy.cut();
    else proxy.stall(['toClient', 'toServer']);
    await eventually(() => isGone(key));
  });

  it('takes a lease that exists, and revokes it in the end', async () => {
    const { leaseId } = await clients.leases.grant({ ttl: { seconds: 2n } });
    const key = await putOn(leaseId);
    const hold = await openHold(clients, { leaseId });
    expect(hold.first).toMatchObject({ leaseId, ttl: { seconds: 2n } });
    await hold.renewed(6);
    expect((await clients.kv.get({ key })).kv?.leaseId).toBe(leaseId);
    await hold[Symbol.asyncDispose]();
    await eventually(() => isGone(key));
  });

  it.each(['same', 'other'])('is ended by a later one of the same lease at the %s gateway', async (where) => {
    const { leaseId } = await clients.leases.grant({ ttl: LONG });
    const key = await putOn(leaseId);
    await using former = await openHold(clients, { leaseId });
    const later = await openHold(where === 'same' ? clients : openClients(other.url), { leaseId });
    expect(await former.failure()).toMatchObject({
      code: 'Aborted',
      reason: 'SESSION_TAKEN_OVER',
      metadata: { lease_id: String(leaseId) },
    });
    expect((await clients.leases.get({ leaseId })).held).toBe(true);
    expect((await clients.kv.get({ key })).kv?.leaseId).toBe(leaseId);
    await later[Symbol.asyncDispose]();
    await eventually(() => isGone(key));
  });

  it('with grace keeps its lease for so long after its stream, and no longer', async () => {
    const hold = await openHold(clients, { ttl: { seconds: 1n }, grace: { seconds: 3n } });
    expect(hold.first.ttl?.seconds).toBe(5n);
    const key = await putOn(hold.first.leaseId);
    const endedMs = performance.now();
    await hold[Symbol.asyncDispose]();
    await eventually(() => isGone(key), 30_000);
    expect(performance.now() - endedMs).toBeGreaterThan(2_900);
  }, 120_000);

  it('leaves nothing behind in the gateway or the store', async () => {
    const holds = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        openHold(clients, { ttl: LONG, ...(i % 2 && { grace: { nanos: 200_000_000 } }) }),
      ),
    );
    expect(gateway.app.stats().sessions).toBeGreaterThanOrEqual(50);
    for (const hold of holds) await hold[Symbol.asyncDispose]();
    await eventually(() => {
      expect(gateway.app.stats()).toMatchObject({ sessions: 0, server: { streams: 0 } });
    });
    await eventually(async () => {
      const ids = new Set(
        (await clients.leases.list({ pageSize: 1_000 })).leases.map(({ leaseId }) => leaseId),
      );
      expect(holds.filter(({ first }) => ids.has(first.leaseId))).toEqual([]);
      expect((await clients.kv.list({ prefix: '/concord/lease/session/' })).kvs).toEqual([]);
    });
  });

  it('that is canceled before its first message leaves no session behind', async () => {
    for (let i = 0; i < 50; i++) {
      const controller = new AbortController();
      const stream = clients.leases.hold({ ttl: { seconds: 5n } }, { signal: controller.signal });
      const first = stream[Symbol.asyncIterator]().next();
      setTimeout(() => controller.abort(), i / 5);
      await first.catch(() => {});
      controller.abort();
    }
    await eventually(async () => {
      expect(gateway.app.stats().sessions).toBe(0);
      expect((await clients.kv.list({ prefix: '/concord/lease/session/' })).kvs).toEqual([]);
    });
  });
});
