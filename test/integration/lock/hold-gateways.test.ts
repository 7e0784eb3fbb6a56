import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HoldResponse_State as State } from '../../../gen/concord/lock/v1/lock_service_pb.ts';
import { eventually } from '../../support/eventually.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { runConcord } from '../../support/run-concord.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { holdLock, openLockHold, queueFor } from './lock-hold.ts';

const TTL = { seconds: 60n };
const GRACE = { seconds: 40n };
const TIMEOUT_MS = 180_000;
const newName = () => `test/${randomUUID()}`;

let etcd: TestEtcd;
let survivor: TestGateway;
let clients: Clients;

beforeAll(async () => {
  etcd = await startEtcd();
  survivor = await startGateway([etcd.endpoint]);
  clients = openClients(survivor.url);
});

afterAll(async () => {
  await survivor?.[Symbol.asyncDispose]();
  await etcd?.stop();
});

describe('a lock that is held at a gateway that is killed', () => {
  it(
    'is taken up at another one with the same token and lease, and so is a place in the queue',
    async () => {
      await using killed = await runConcord({ env: { ETCD_ENDPOINTS: etcd.endpoint } });
      const there = openClients(killed.url);
      const name = newName();
      await using holder = await holdLock(there, { name, ttl: TTL, grace: GRACE });
      await using waiter = await queueFor(there, { name, ttl: TTL, grace: GRACE });
      await using later = await queueFor(clients, { name, ttl: TTL });
      killed.signal('SIGKILL');
      await killed.exited;
      await eventually(() => expect(holder.end?.error).toBeInstanceOf(Error));

      const { fencingToken, leaseId } = holder.last;
      await using back = openLockHold(clients, { name, resumeToken: holder.last.resumeToken });
      expect(await back.reaches(State.ACQUIRED)).toMatchObject({ fencingToken, leaseId });
      await using waiting = openLockHold(clients, { name, resumeToken: waiter.last.resumeToken });
      await waiting.find(({ state, position }) => state === State.QUEUED && position === 1);
      await clients.locks.release({ name, fencingToken });
      await waiting.reaches(State.ACQUIRED);
      expect(later.last.state).toBe(State.QUEUED);
    },
    TIMEOUT_MS,
  );

  it(
    'goes to the next when its time to live is over, where nobody comes back',
    async () => {
      await using killed = await runConcord({ env: { ETCD_ENDPOINTS: etcd.endpoint } });
      const there = openClients(killed.url);
      const name = newName();
      await using holder = await holdLock(there, { name, ttl: { seconds: 1n } });
      await using _ahead = await queueFor(there, { name, ttl: { seconds: 1n } });
      const waiting = there.locks.acquire({ name, ttl: { seconds: 1n } });
      waiting.catch(() => {});
      await eventually(async () => expect((await clients.locks.get({ name })).lock?.waiterCount).toBe(2));
      await using next = await queueFor(clients, { name, ttl: TTL });
      expect(next.last.position).toBe(3);
      killed.signal('SIGKILL');
      const acquired = await next.reaches(State.ACQUIRED, 60_000);
      expect(acquired.fencingToken).toBeGreaterThan(holder.last.fencingToken);
      await expect(waiting).rejects.toThrow();
      expect((await clients.locks.get({ name })).lock).toMatchObject({
        holders: [{ fencingToken: acquired.fencingToken }],
        waiters: [],
      });
    },
    TIMEOUT_MS,
  );
});

describe('a lock that is held at a gateway that is drained', () => {
  it(
    'waits for its holder to come to another one, as long as its grace',
    async () => {
      const drained = await startGateway([etcd.endpoint]);
      const name = newName();
      const hold = await holdLock(openClients(drained.url), { name, ttl: TTL, grace: GRACE });
      await using next = await queueFor(clients, { name, ttl: TTL });
      await drained.app.drain();
      expect(await hold.failure()).toMatchObject({ code: 'Unavailable', reason: 'SHUTTING_DOWN' });
      const { fencingToken, resumeToken } = hold.last;
      expect(await clients.locks.verify({ name, fencingToken })).toMatchObject({ held: true });
      await using back = openLockHold(clients, { name, resumeToken });
      expect(await back.reaches(State.ACQUIRED)).toMatchObject({ fencingToken });
      expect(next.last.state).toBe(State.QUEUED);
    },
    TIMEOUT_MS,
  );

  it(
    'is released before the gateway ends where there is no grace, as is every place in the queue',
    async () => {
      const drained = await startGateway([etcd.endpoint]);
      const there = openClients(drained.url);
      const name = newName();
      const hold = await holdLock(there, { name, ttl: TTL });
      const waiters = [await queueFor(there, { name, ttl: TTL }), await queueFor(there, { name, ttl: TTL })];
      await using next = await queueFor(clients, { name, ttl: TTL });
      await drained.app.drain();
      for (const stream of [hold, ...waiters]) {
        expect(await stream.failure()).toMatchObject({ code: 'Unavailable', reason: 'SHUTTING_DOWN' });
      }
      expect((await clients.locks.get({ name })).lock?.waiterCount).toBeLessThanOrEqual(1);
      await next.reaches(State.ACQUIRED);
    },
    TIMEOUT_MS,
  );

  it(
    'by Acquire is kept: its holder has it for its time to live',
    async () => {
      const drained = await startGateway([etcd.endpoint]);
      const name = newName();
      const { fencingToken } = await openClients(drained.url).locks.acquire({ name, ttl: TTL });
      await drained.app.drain();
      expect(await clients.locks.verify({ name, fencingToken })).toMatchObject({ held: true });
      await clients.locks.release({ name, fencingToken });
    },
    TIMEOUT_MS,
  );
});
