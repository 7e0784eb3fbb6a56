import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HoldResponse_State as State } from '../../../gen/concord/lock/v1/lock_service_pb.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { type RunningConcord, runConcord } from '../../support/run-concord.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { startHoldingProcess } from './holding-process.ts';
import { readLockHistory } from './lock-history.ts';
import { holdLock, openLockHold, queueFor } from './lock-hold.ts';

const TTL = { seconds: 600n };
const SHORT = { seconds: 1n };
const TIMEOUT_MS = 180_000;
const WAIT_MS = 40_000;

let etcd: TestEtcd;
let gateway: TestGateway;
let clients: Clients;

beforeAll(async () => {
  etcd = await startEtcd();
  gateway = await startGateway([etcd.endpoint], { CONCORD_PING_INTERVAL: '2s' });
  clients = openClients(gateway.url);
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await etcd?.stop();
});

describe('a client that is stalled while it holds a lock', () => {
  it(
    'has lost it to the next when it goes on, and can neither write nor release with its token',
    async () => {
      const name = randomUUID();
      const key = `test/${randomUUID()}`;
      await using stalled = await startHoldingProcess(gateway.url, name, key);
      await using next = await queueFor(clients, { name, ttl: TTL });
      stalled.signal('SIGSTOP');
      const { fencingToken } = await next.reaches(State.ACQUIRED, WAIT_MS);
      expect(fencingToken).toBeGreaterThan(stalled.fencingToken);
      const fence = { holder: { case: 'lock', value: name }, token: fencingToken } as const;
      await clients.kv.put({ key, value: 'of the next', fence });
      stalled.signal('SIGCONT');
      expect(await stalled.writeAndRelease('of the one that was stalled')).toEqual({
        write: 'FENCE_LOST',
        release: 'NOT_LOCK_HOLDER',
      });
      expect((await clients.kv.get({ key })).kv).toMatchObject({ value: 'of the next', version: 1n });
      expect(await clients.locks.verify({ name, fencingToken })).toMatchObject({ held: true });
    },
    TIMEOUT_MS,
  );

  it(
    'for less than it takes to notice still has it',
    async () => {
      const name = randomUUID();
      const key = `test/${randomUUID()}`;
      await using patient = await startGateway([etcd.endpoint]);
      await using stalled = await startHoldingProcess(patient.url, name, key);
      stalled.signal('SIGSTOP');
      expect(await failureOf(clients.locks.tryAcquire({ name }))).toMatchObject({ reason: 'LOCK_HELD' });
      stalled.signal('SIGCONT');
      expect(await stalled.writeAndRelease('mine')).toEqual({ write: 'OK', release: 'OK' });
      expect((await clients.kv.get({ key })).kv?.value).toBe('mine');
    },
    TIMEOUT_MS,
  );
});

describe('a gateway that is stalled for longer than the time to live', () => {
  let stalled: RunningConcord;
  let there: Clients;

  beforeAll(async () => {
    stalled = await runConcord({ env: { ETCD_ENDPOINTS: etcd.endpoint } });
    there = openClients(stalled.url);
  });

  afterAll(async () => {
    stalled?.signal('SIGCONT');
    await stalled?.[Symbol.asyncDispose]();
  });

  const waitersOf = async (name: string) => (await clients.locks.get({ name })).lock?.waiterCount;

  it(
    'has no waiter of its own hold a lock: its place is gone, and its stream says so',
    async () => {
      const { revision } = await clients.locks.get({ name: 'any' });
      const name = randomUUID();
      const holder = await holdLock(clients, { name, ttl: TTL });
      await using waiting = await queueFor(there, { name, ttl: SHORT });
      const acquiring = failureOf(there.locks.acquire({ name, ttl: SHORT }, { timeoutMs: WAIT_MS }));
      await eventually(async () => expect(await waitersOf(name)).toBe(2));
      stalled.signal('SIGSTOP');
      await eventually(async () => expect(await waitersOf(name)).toBe(0), WAIT_MS);
      // The lock is free when it goes on: those who waited there see their way clear.
      await holder[Symbol.asyncDispose]();
      await eventually(async () => expect((await clients.locks.get({ name })).lock?.holders).toEqual([]));
      stalled.signal('SIGCONT');
      await waiting.isLost();
      expect(waiting.messages.every(({ state }) => state !== State.ACQUIRED)).toBe(true);
      expect(await acquiring).toMatchObject({ code: 'NotFound', reason: 'LEASE_NOT_FOUND' });
      await clients.locks.tryAcquire({ name, ttl: TTL });
      const history = await readLockHistory([etcd.endpoint], { fromRevision: revision + 1n });
      expect(history.faults).toEqual([]);
      expect(history.acquisitions.get(name)).toBe(2);
    },
    TIMEOUT_MS,
  );

  it(
    'has its holder lose the lock to the next, who alone can write',
    async () => {
      const name = randomUUID();
      const key = `test/${randomUUID()}`;
      await using holder = await holdLock(there, { name, ttl: SHORT });
      const { fencingToken, leaseId, resumeToken } = holder.last;
      await using next = await queueFor(clients, { name, ttl: TTL });
      stalled.signal('SIGSTOP');
      const acquired = await next.reaches(State.ACQUIRED, WAIT_MS);
      stalled.signal('SIGCONT');
      await holder.isLost();
      const write = (token: bigint) =>
        there.kv.put({ key, fence: { holder: { case: 'lock', value: name }, token } });
      expect(await failureOf(write(fencingToken))).toMatchObject({
        code: 'FailedPrecondition',
        reason: 'FENCE_LOST',
        metadata: { lock: name, token: String(fencingToken) },
      });
      await write(acquired.fencingToken);
      expect(await openLockHold(there, { name, resumeToken }).failure()).toMatchObject({
        reason: 'SESSION_NOT_FOUND',
        metadata: { lease_id: String(leaseId) },
      });
    },
    TIMEOUT_MS,
  );
});
