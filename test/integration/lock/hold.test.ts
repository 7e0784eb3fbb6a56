import { randomUUID } from 'node:crypto';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Mode } from '../../../gen/concord/lock/v1/lock_pb.ts';
import { HoldResponse_State as State } from '../../../gen/concord/lock/v1/lock_service_pb.ts';
import { sessionKey } from '../../../src/domain/lease/lease-keys.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import type { TestGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { holdLock, openLockHold, queueFor } from './lock-hold.ts';

const TTL = { seconds: 600n };
const SHORT = { seconds: 1n };
const GRACE = { seconds: 300n };
const newName = () => `test/${randomUUID()}`;

let gateway: TestGateway & { readonly etcd: TestEtcd };
let clients: Clients;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
  clients = openClients(gateway.url);
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

describe('a Hold of a lock', () => {
  it('waits with its position, then holds with a token, and says each time until when', async () => {
    const name = newName();
    await using first = await holdLock(clients, { name, ttl: SHORT, owner: 'anna' });
    await using second = openLockHold(clients, { name, ttl: SHORT, owner: 'ben' });
    await second.goesOn(5);
    for (const message of second.messages) {
      expect(message).toMatchObject({ state: State.QUEUED, position: 1, fencingToken: 0n });
    }
    await first[Symbol.asyncDispose]();
    await second.reaches(State.ACQUIRED);
    await second.goesOn(10);
    const states = second.messages.map(({ state }) => state);
    expect(states).toEqual(states.toSorted());
    expect(new Set(states)).toEqual(new Set([State.QUEUED, State.ACQUIRED]));
    const { fencingToken, leaseId } = second.last;
    const held = second.messages.filter(({ state }) => state === State.ACQUIRED);
    expect(held.every((message) => message.fencingToken === fencingToken && message.position === 0)).toBe(
      true,
    );
    const times = second.messages.map(({ expireTime }) => (expireTime ? timestampMs(expireTime) : 0));
    // The same deadline may be told as one millisecond or the next.
    for (const [i, time] of times.entries()) expect(time).toBeGreaterThanOrEqual((times[i - 1] ?? 0) - 5);
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(2_000);
    const revisions = second.messages.map(({ revision }) => revision);
    expect(revisions).toEqual(revisions.toSorted((a, b) => Number(a - b)));
    for (const message of second.messages) {
      expect(message).toMatchObject({ leaseId, resumeToken: expect.stringMatching(/./) });
    }
    const { lock } = await clients.locks.get({ name });
    expect(lock).toMatchObject({ holders: [{ fencingToken, leaseId, owner: 'ben' }], waiters: [] });
  }, 120_000);

  it('says how many are still before it as those leave one after the other', async () => {
    const request = { name: newName(), ttl: SHORT };
    const holds = [await holdLock(clients, request)];
    for (let i = 0; i < 4; i++) holds.push(await queueFor(clients, request));
    expect(holds.map(({ last }) => last.position)).toEqual([0, 1, 2, 3, 4]);
    for (const [gone, hold] of holds.entries()) {
      await hold.reaches(State.ACQUIRED);
      for (const [i, waiting] of holds.slice(gone).entries()) {
        await eventually(() => expect(waiting.last.position).toBe(i));
      }
      await hold[Symbol.asyncDispose]();
    }
    for (const { messages } of holds) {
      const positions = messages.map(({ position }) => position);
      expect(positions).toEqual(positions.toSorted((a, b) => b - a));
    }
  }, 120_000);

  it('is as exclusive as Acquire and TryAcquire', async () => {
    const name = newName();
    await using hold = await holdLock(clients, { name, ttl: TTL });
    expect(await failureOf(clients.locks.tryAcquire({ name }))).toMatchObject({
      reason: 'LOCK_HELD',
      metadata: { fencing_token: String(hold.last.fencingToken) },
    });
    const waiting = clients.locks.acquire({ name, ttl: TTL });
    await eventually(async () => expect((await clients.locks.get({ name })).lock?.waiterCount).toBe(1));
    await hold[Symbol.asyncDispose]();
    expect((await waiting).fencingToken).toBeGreaterThan(hold.last.fencingToken);
  });

  it('keeps the keys on its lease as long as it holds', async () => {
    const hold = await holdLock(clients, { name: newName(), ttl: SHORT });
    const key = newName();
    await clients.kv.put({ key, leaseId: hold.last.leaseId });
    await hold.goesOn(9);
    expect((await clients.kv.get({ key })).kv).toMatchObject({ version: 1n });
    await hold[Symbol.asyncDispose]();
    await eventually(async () => {
      expect(await failureOf(clients.kv.get({ key }))).toMatchObject({ reason: 'KEY_NOT_FOUND' });
    });
  }, 120_000);
});

/** Ways to take a lock, or a place in its queue, from a stream. */
const LOSSES: readonly (readonly [string, (hold: { name: string; leaseId: bigint }) => Promise<unknown>])[] =
  [
    ['its lease is revoked', ({ leaseId }) => clients.leases.revoke({ leaseId })],
    [
      'the record of its session is deleted',
      ({ leaseId }) => clients.kv.delete({ key: new TextDecoder().decode(sessionKey(leaseId)) }),
    ],
  ];

describe.each(LOSSES)('a Hold when %s', (_, lose) => {
  it.each([{}, { grace: GRACE }])(
    'loses the lock, and another gets it: %o',
    async (more) => {
      const name = newName();
      await using hold = await holdLock(clients, { name, ttl: { seconds: 5n }, ...more });
      const { leaseId, fencingToken, resumeToken } = hold.last;
      await using next = await queueFor(clients, { name, ttl: TTL });
      await lose({ name, leaseId });
      await hold.isLost();
      expect(hold.last).toMatchObject({ leaseId, resumeToken: '' });
      expect(hold.last.expireTime).toBeUndefined();
      if (Object.keys(more).length === 0) {
        const acquired = await next.reaches(State.ACQUIRED, 60_000);
        expect(acquired.fencingToken).toBeGreaterThan(fencingToken);
      }
      expect(
        await failureOf(openLockHold(clients, { name, resumeToken }).reaches(State.ACQUIRED)),
      ).toMatchObject({
        code: 'NotFound',
        reason: 'SESSION_NOT_FOUND',
        metadata: { lease_id: String(leaseId) },
      });
    },
    180_000,
  );

  it('loses its place in the queue', async () => {
    const name = newName();
    await using _holder = await holdLock(clients, { name, ttl: TTL });
    await using waiting = await queueFor(clients, { name, ttl: { seconds: 5n } });
    await lose({ name, leaseId: waiting.last.leaseId });
    await waiting.isLost();
    await eventually(
      async () => expect((await clients.locks.get({ name })).lock?.waiterCount).toBe(0),
      60_000,
    );
  }, 180_000);
});

describe('a Hold', () => {
  it.each([{}, { grace: GRACE }])('is lost when its lock is broken: %o', async (more) => {
    const name = newName();
    await using hold = await holdLock(clients, { name, ttl: TTL, ...more });
    await using next = await queueFor(clients, { name, ttl: TTL });
    const { broken } = await clients.locks.break({ name, reason: 'a test' });
    expect(broken).toMatchObject([{ fencingToken: hold.last.fencingToken }]);
    await hold.isLost();
    await next.reaches(State.ACQUIRED);
  });

  it.each([{}, { grace: GRACE }])('is lost when its lock is released by its token: %o', async (more) => {
    const name = newName();
    await using hold = await holdLock(clients, { name, ttl: TTL, ...more });
    const { fencingToken } = hold.last;
    await clients.locks.release({ name, fencingToken });
    await hold.isLost();
    await clients.locks.release({ name, fencingToken });
    expect((await clients.locks.get({ name })).lock?.holders).toEqual([]);
  });

  it('of a lock in use in another mode fails, and stands in nobody’s way, whatever its grace', async () => {
    const name = newName();
    const { fencingToken } = await clients.locks.acquire({ name, ttl: TTL });
    const { sessions } = gateway.app.stats();
    for (const more of [{}, { grace: GRACE }]) {
      const request = { name, ttl: TTL, mode: Mode.WRITE, ...more };
      expect(await openLockHold(clients, request).failure()).toMatchObject({
        code: 'FailedPrecondition',
        reason: 'LOCK_MODE_MISMATCH',
        metadata: { lock: name, mode: 'mutex' },
      });
    }
    expect((await clients.locks.get({ name })).lock?.waiters).toEqual([]);
    await clients.locks.release({ name, fencingToken });
    await clients.locks.tryAcquire({ name, ttl: TTL });
    await eventually(() => expect(gateway.app.stats().sessions).toBe(sessions));
  });
});
