import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { startFaultProxy } from '../../support/fault-proxy.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { PROTOCOLS } from '../../support/protocols.ts';
import type { TestGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { storeStateOf } from '../../support/store-state.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { holdLock, queueFor } from './lock-hold.ts';

/** Longer than any test waits: who is gone before has left, and did not expire. */
const TTL = { seconds: 600n };
/** Long enough to be seen waiting before it passes. */
const DEADLINE_MS = 3_000;

let gateway: TestGateway & { readonly etcd: TestEtcd };
let clients: Clients;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd({ CONCORD_PING_INTERVAL: '2s' });
  clients = openClients(gateway.url);
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

/** Has a lock held, and resolves with its name. */
async function heldLock(): Promise<{ readonly name: string; readonly fencingToken: bigint }> {
  const name = `test/${randomUUID()}`;
  const { fencingToken } = await clients.locks.acquire({ name, ttl: TTL });
  return { name, fencingToken };
}

async function hasWaiters(name: string, count: number): Promise<void> {
  await eventually(async () => {
    expect((await clients.locks.get({ name })).lock?.waiterCount).toBe(count);
  });
}

/** Asserts that whoever waits next is the first in the queue, and holds the lock when it is released. */
async function isHandedOn({ name, fencingToken }: Awaited<ReturnType<typeof heldLock>>): Promise<void> {
  await hasWaiters(name, 0);
  await using next = await queueFor(clients, { name, ttl: TTL });
  expect(next.last.position).toBe(1);
  await clients.locks.release({ name, fencingToken });
  await next.find(({ fencingToken: token }) => token > 0n);
}

describe.each(PROTOCOLS)('one who waits in Acquire over $name', ({ open }) => {
  const own = (url = gateway.url) => openClients(url, open(url));

  it('leaves the queue at once when it cancels', async () => {
    const held = await heldLock();
    const controller = new AbortController();
    const waiting = own().locks.acquire({ name: held.name, ttl: TTL }, { signal: controller.signal });
    waiting.catch(() => {});
    await hasWaiters(held.name, 1);
    controller.abort();
    await expect(waiting).rejects.toThrow();
    await isHandedOn(held);
  });

  it('leaves the queue when its deadline passes', async () => {
    const held = await heldLock();
    const waiting = own().locks.acquire({ name: held.name, ttl: TTL }, { timeoutMs: DEADLINE_MS });
    waiting.catch(() => {});
    await hasWaiters(held.name, 1);
    // Which of the two clocks is first, the client's or the gateway's, is left to chance.
    await expect(waiting).rejects.toMatchObject({ rawMessage: expect.stringMatching(/deadline|timed out/i) });
    await isHandedOn(held);
  });

  it('leaves the queue at once when its connection breaks', async () => {
    await using proxy = await startFaultProxy(gateway.port);
    const held = await heldLock();
    const waiting = own(proxy.endpoint).locks.acquire({ name: held.name, ttl: TTL });
    waiting.catch(() => {});
    await hasWaiters(held.name, 1);
    proxy.cut();
    await expect(waiting).rejects.toThrow();
    await isHandedOn(held);
  });
});

describe('one who waits in Hold', () => {
  it('leaves the queue at once when it cancels', async () => {
    const held = await heldLock();
    const waiting = await queueFor(clients, { name: held.name, ttl: TTL });
    await waiting[Symbol.asyncDispose]();
    await isHandedOn(held);
  });

  it.each([
    ['breaks', 'cut'],
    ['goes silent', 'stall'],
  ] as const)('leaves the queue when its connection %s', async (_, fault) => {
    await using proxy = await startFaultProxy(gateway.port);
    const held = await heldLock();
    await using _waiting = await queueFor(openClients(proxy.endpoint), { name: held.name, ttl: TTL });
    if (fault === 'cut') proxy.cut();
    else proxy.stall(['toClient', 'toServer']);
    await isHandedOn(held);
  });

  it('lets those behind it move up, from the middle and from the front', async () => {
    const { name, fencingToken } = await heldLock();
    const first = await queueFor(clients, { name, ttl: TTL });
    const second = await queueFor(clients, { name, ttl: TTL });
    await using third = await queueFor(clients, { name, ttl: TTL });
    expect([first, second, third].map(({ last }) => last.position)).toEqual([1, 2, 3]);
    await second[Symbol.asyncDispose]();
    await third.find(({ position }) => position === 2);
    await first[Symbol.asyncDispose]();
    await third.find(({ position }) => position === 1);
    await clients.locks.release({ name, fencingToken });
    await third.find(({ fencingToken: token }) => token > 0n);
  });
});

describe('the queue of a lock', () => {
  it('has nothing left of those who came and went at any moment, nor has the store', async () => {
    const { name } = await heldLock();
    const { leases } = await storeStateOf(gateway.etcd);
    const leaving = Array.from({ length: 200 }, async (_, i) => {
      const signal = AbortSignal.timeout(1 + (i >> 1));
      if (i % 2 === 0) await clients.locks.acquire({ name, ttl: TTL }, { signal });
      else for await (const _message of clients.locks.hold({ name, ttl: TTL }, { signal }));
    });
    expect((await Promise.allSettled(leaving)).every(({ status }) => status === 'rejected')).toBe(true);
    await hasWaiters(name, 0);
    await eventually(() => expect(gateway.app.stats().sessions).toBe(0));
    await eventually(async () =>
      expect((await storeStateOf(gateway.etcd)).leases).toBeLessThanOrEqual(leases),
    );
  }, 120_000);

  it('is passed on by a holder whose stream ends, in the order in which the others came', async () => {
    const name = `test/${randomUUID()}`;
    const holds = [await holdLock(clients, { name, ttl: TTL })];
    for (let i = 0; i < 9; i++) holds.push(await queueFor(clients, { name, ttl: TTL }));
    const tokens: bigint[] = [];
    for (const hold of holds) {
      const { fencingToken } = await hold.find(({ fencingToken: token }) => token > 0n);
      tokens.push(fencingToken);
      await hold[Symbol.asyncDispose]();
    }
    expect(tokens).toEqual(tokens.toSorted((a, b) => (a < b ? -1 : 1)));
    expect(new Set(tokens).size).toBe(10);
  });
});
