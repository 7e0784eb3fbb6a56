import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { startFaultProxy } from '../../support/fault-proxy.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { runConcord } from '../../support/run-concord.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { type HoldStream, openHold } from './hold-stream.ts';

const TTL = { seconds: 60n };
const GRACE = { seconds: 40n };
const TIMEOUT_MS = 180_000;

let etcd: TestEtcd;
let gateway: TestGateway;
let other: TestGateway;
let clients: Clients;

beforeAll(async () => {
  etcd = await startEtcd();
  gateway = await startGateway([etcd.endpoint]);
  other = await startGateway([etcd.endpoint]);
  clients = openClients(gateway.url);
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await other?.[Symbol.asyncDispose]();
  await etcd?.stop();
});

/** Puts a key on the lease of a hold; the function returned asserts that nothing has happened to it. */
async function putOn({ first: { leaseId } }: HoldStream): Promise<() => Promise<void>> {
  const key = `test/${randomUUID()}`;
  await clients.kv.put({ key, leaseId });
  return async () => {
    expect((await clients.kv.get({ key })).kv).toMatchObject({ leaseId, version: 1n });
  };
}

/** Asserts that a token holds nothing any more, and that the lease is gone. */
async function isOver({ last }: HoldStream): Promise<void> {
  const { leaseId, resumeToken } = last;
  expect(await failureOf(clients.leases.get({ leaseId }))).toMatchObject({ reason: 'LEASE_NOT_FOUND' });
  expect(await failureOf(openHold(clients, { resumeToken }))).toMatchObject({
    code: 'NotFound',
    reason: 'SESSION_NOT_FOUND',
    metadata: { lease_id: String(leaseId) },
  });
}

describe('a Hold that is resumed', () => {
  it('has its lease and keys again at the same gateway, as often as it comes back', async () => {
    let hold = await openHold(clients, { ttl: TTL, grace: GRACE });
    const { leaseId } = hold.first;
    const isKept = await putOn(hold);
    for (let round = 0; round < 3; round++) {
      const { resumeToken } = hold.last;
      await hold[Symbol.asyncDispose]();
      hold = await openHold(clients, { resumeToken });
      expect(hold.first).toMatchObject({ leaseId, ttl: TTL });
      await isKept();
    }
    await hold[Symbol.asyncDispose]();
    await isKept();
    await clients.leases.revoke({ leaseId });
    await eventually(() => isOver(hold));
  });

  it('has them after its connection broke', async () => {
    await using proxy = await startFaultProxy(gateway.port);
    const hold = await openHold(openClients(proxy.endpoint), { ttl: TTL, grace: GRACE });
    const isKept = await putOn(hold);
    proxy.cut();
    await eventually(() => expect(hold.end?.error).toBeInstanceOf(Error));
    await using back = await openHold(clients, { resumeToken: hold.last.resumeToken });
    expect(back.first.leaseId).toBe(hold.first.leaseId);
    await isKept();
  });

  it(
    'at another gateway keeps its lease there, though the grace at the first one passes',
    async () => {
      const hold = await openHold(clients, { ttl: { seconds: 5n }, grace: { seconds: 5n } });
      const isKept = await putOn(hold);
      const { sessions } = gateway.app.stats();
      await hold[Symbol.asyncDispose]();
      await using back = await openHold(openClients(other.url), { resumeToken: hold.last.resumeToken });
      await eventually(() => expect(gateway.app.stats().sessions).toBe(sessions - 1));
      await back.renewed(6);
      await isKept();
      expect(back.end).toBeUndefined();
    },
    TIMEOUT_MS,
  );

  it.each(['same', 'other'])('while its stream is open ends that one, at the %s gateway', async (where) => {
    await using hold = await openHold(clients, { ttl: TTL });
    const isKept = await putOn(hold);
    const at = where === 'same' ? clients : openClients(other.url);
    await using back = await openHold(at, { resumeToken: hold.last.resumeToken });
    expect(await hold.failure()).toMatchObject({
      code: 'Aborted',
      reason: 'SESSION_TAKEN_OVER',
      metadata: { lease_id: String(hold.first.leaseId) },
    });
    await isKept();
    await using again = await openHold(clients, { resumeToken: back.last.resumeToken });
    expect(await back.failure()).toMatchObject({ reason: 'SESSION_TAKEN_OVER' });
    await isKept();
    expect(again.end).toBeUndefined();
  });

  it('by many at once is kept by exactly one', async () => {
    const hold = await openHold(clients, { ttl: TTL, grace: GRACE });
    const isKept = await putOn(hold);
    const { resumeToken } = hold.last;
    await hold[Symbol.asyncDispose]();
    const ways = [gateway.url, other.url].map((url) => openClients(url));
    const opened = await Promise.allSettled(
      Array.from({ length: 10 }, (_, i) => openHold(ways[i % 2] ?? clients, { resumeToken })),
    );
    const streams = opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    await eventually(() => expect(streams.filter(({ end }) => end === undefined)).toHaveLength(1));
    await isKept();
    for (const stream of streams) await stream[Symbol.asyncDispose]();
  });

  it(
    'after its grace finds nothing, nor do its keys live on',
    async () => {
      const hold = await openHold(clients, { ttl: { seconds: 2n }, grace: { nanos: 500_000_000 } });
      await hold[Symbol.asyncDispose]();
      await eventually(() => isOver(hold), 30_000);
    },
    TIMEOUT_MS,
  );

  it('finds nothing where its lease had no grace, or was revoked, or is another one of that id', async () => {
    const hold = await openHold(clients, { ttl: TTL });
    await hold[Symbol.asyncDispose]();
    await eventually(() => isOver(hold));
    const { leaseId, resumeToken } = hold.last;
    await clients.leases.grant({ leaseId, ttl: TTL });
    expect(await failureOf(openHold(clients, { resumeToken }))).toMatchObject({
      reason: 'SESSION_NOT_FOUND',
    });
    await using _anew = await openHold(clients, { leaseId });
    expect(await failureOf(openHold(clients, { resumeToken }))).toMatchObject({
      reason: 'SESSION_NOT_FOUND',
    });
  });

  it('keeps its grace, whichever gateway has it', async () => {
    const hold = await openHold(clients, { ttl: TTL, grace: GRACE });
    await hold[Symbol.asyncDispose]();
    const back = await openHold(openClients(other.url), { resumeToken: hold.last.resumeToken });
    await back[Symbol.asyncDispose]();
    await using again = await openHold(clients, { resumeToken: back.last.resumeToken });
    expect(again.first.leaseId).toBe(hold.first.leaseId);
  });
});

describe('a Hold whose gateway goes away', () => {
  it(
    'that is killed comes back at another one with its lease and keys, for its time to live',
    async () => {
      await using killed = await runConcord({ env: { ETCD_ENDPOINTS: etcd.endpoint } });
      await using hold = await openHold(openClients(killed.url), {
        ttl: { seconds: 1n },
        grace: { seconds: 30n },
      });
      const isKept = await putOn(hold);
      killed.signal('SIGKILL');
      await killed.exited;
      await eventually(() => expect(hold.end?.error).toBeInstanceOf(Error));
      await using back = await openHold(clients, { resumeToken: hold.last.resumeToken });
      expect(back.first).toMatchObject({ leaseId: hold.first.leaseId, ttl: { seconds: 45n } });
      await isKept();
    },
    TIMEOUT_MS,
  );

  it.each([true, false])(
    'that is drained comes back at another one: its stream open %s',
    async (isOpen) => {
      const drained = await startGateway([etcd.endpoint]);
      const hold = await openHold(openClients(drained.url), { ttl: TTL, grace: GRACE });
      const isKept = await putOn(hold);
      if (!isOpen) await hold[Symbol.asyncDispose]();
      await drained.app.drain();
      if (isOpen) {
        expect(await hold.failure()).toMatchObject({ code: 'Unavailable', reason: 'SHUTTING_DOWN' });
      }
      await using back = await openHold(clients, { resumeToken: hold.last.resumeToken });
      expect(back.first.leaseId).toBe(hold.first.leaseId);
      await isKept();
    },
    TIMEOUT_MS,
  );

  it('that is drained revokes its lease before it ends, where there is no grace', async () => {
    const drained = await startGateway([etcd.endpoint]);
    const holds = await Promise.all(
      Array.from({ length: 20 }, () => openHold(openClients(drained.url), { ttl: TTL })),
    );
    await drained.app.drain();
    for (const hold of holds) await isOver(hold);
  });
});
