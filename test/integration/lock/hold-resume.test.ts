import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Mode } from '../../../gen/concord/lock/v1/lock_pb.ts';
import { HoldResponse_State as State } from '../../../gen/concord/lock/v1/lock_service_pb.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { startFaultProxy } from '../../support/fault-proxy.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { holdLock, type LockHold, openLockHold, queueFor } from './lock-hold.ts';

const TTL = { seconds: 600n };
const GRACE = { seconds: 300n };
const newName = () => `test/${randomUUID()}`;

let etcd: TestEtcd;
let gateway: TestGateway;
let other: TestGateway;
let clients: Clients;
let elsewhere: Clients;

beforeAll(async () => {
  etcd = await startEtcd();
  gateway = await startGateway([etcd.endpoint]);
  other = await startGateway([etcd.endpoint]);
  clients = openClients(gateway.url);
  elsewhere = openClients(other.url);
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await other?.[Symbol.asyncDispose]();
  await etcd?.stop();
});

/** Takes a stream that has ended up again, and resolves with its first message. */
async function resume({ last: { resumeToken } }: LockHold, name: string, at = clients): Promise<LockHold> {
  const back = openLockHold(at, { name, resumeToken });
  await back.find(() => true);
  return back;
}

describe.each(['the same gateway', 'another one'])('a Hold that is resumed at %s', (where) => {
  const at = () => (where === 'another one' ? elsewhere : clients);

  it('holds its lock with the same token and lease from its first message on, since when it did', async () => {
    const name = newName();
    const first = await holdLock(clients, { name, ttl: TTL, grace: GRACE, owner: 'anna' });
    const { fencingToken, leaseId } = first.last;
    const { lock: before } = await clients.locks.get({ name });
    await using waiting = await queueFor(clients, { name, ttl: TTL });
    await first[Symbol.asyncDispose]();
    await using back = await resume(first, name, at());
    expect(back.messages[0]).toMatchObject({ state: State.ACQUIRED, fencingToken, leaseId, position: 0 });
    const { lock } = await clients.locks.get({ name });
    expect(lock?.holders).toEqual(before?.holders);
    expect(waiting.last.state).toBe(State.QUEUED);
    const fence = { holder: { case: 'lock', value: name }, token: fencingToken } as const;
    await clients.kv.put({ key: newName(), fence });
    await clients.locks.release({ name, fencingToken });
    await back.isLost();
    await waiting.reaches(State.ACQUIRED);
  });

  it('waits in its place, and is given the lock in turn', async () => {
    const name = newName();
    const holder = await holdLock(clients, { name, ttl: TTL });
    const first = await queueFor(clients, { name, ttl: TTL, grace: GRACE });
    await using later = await queueFor(clients, { name, ttl: TTL });
    await first[Symbol.asyncDispose]();
    await using back = await resume(first, name, at());
    expect(back.messages[0]).toMatchObject({
      state: State.QUEUED,
      position: 1,
      leaseId: first.last.leaseId,
    });
    await holder[Symbol.asyncDispose]();
    await back.reaches(State.ACQUIRED);
    expect(later.last).toMatchObject({ state: State.QUEUED });
    await clients.locks.break({ name, reason: 'a test' });
    await later.reaches(State.ACQUIRED);
  });

  it('is given the lock when its turn came while nobody listened', async () => {
    const name = newName();
    const holder = await holdLock(clients, { name, ttl: TTL });
    const first = await queueFor(clients, { name, ttl: TTL, grace: GRACE });
    await first[Symbol.asyncDispose]();
    await holder[Symbol.asyncDispose]();
    await eventually(async () =>
      expect((await clients.locks.get({ name })).lock?.waiters).toMatchObject([{ position: 0 }]),
    );
    expect(await failureOf(clients.locks.tryAcquire({ name }))).toMatchObject({ reason: 'LOCK_HELD' });
    await using back = await resume(first, name, at());
    expect((await back.reaches(State.ACQUIRED)).fencingToken).toBeGreaterThan(holder.last.fencingToken);
  });

  it('while its stream is open ends that one', async () => {
    const name = newName();
    await using first = await holdLock(clients, { name, ttl: TTL, grace: GRACE });
    await using back = await resume(first, name, at());
    expect(await first.failure()).toMatchObject({
      code: 'Aborted',
      reason: 'SESSION_TAKEN_OVER',
      metadata: { lease_id: String(first.last.leaseId) },
    });
    expect(back.last).toMatchObject({ state: State.ACQUIRED, fencingToken: first.messages[1]?.fencingToken });
    expect(await clients.locks.verify({ name, fencingToken: back.last.fencingToken })).toMatchObject({
      held: true,
    });
  });

  it('comes back after its connection broke', async () => {
    await using proxy = await startFaultProxy(gateway.port);
    const name = newName();
    await using first = await holdLock(openClients(proxy.endpoint), { name, ttl: TTL, grace: GRACE });
    proxy.cut();
    await eventually(() => expect(first.end?.error).toBeInstanceOf(Error));
    await using back = await resume(first, name, at());
    expect(back.last).toMatchObject({ state: State.ACQUIRED, fencingToken: first.last.fencingToken });
  });

  it('finds nothing after its grace, when another has the lock', async () => {
    const name = newName();
    const first = await holdLock(clients, { name, ttl: TTL, grace: { nanos: 500_000_000 } });
    await using next = await queueFor(clients, { name, ttl: TTL });
    await first[Symbol.asyncDispose]();
    expect((await next.reaches(State.ACQUIRED)).fencingToken).toBeGreaterThan(first.last.fencingToken);
    await eventually(async () => {
      expect(await openLockHold(at(), { name, resumeToken: first.last.resumeToken }).failure()).toMatchObject(
        {
          code: 'NotFound',
          reason: 'SESSION_NOT_FOUND',
          metadata: { lease_id: String(first.last.leaseId) },
        },
      );
    });
    expect(next.end).toBeUndefined();
  });

  it('takes no token of another lock, mode or rpc, and none that was damaged', async () => {
    const name = newName();
    await using first = await holdLock(clients, { name, ttl: TTL, mode: Mode.SEMAPHORE, permits: 2 });
    await using lease = openLockHold(clients, { name: newName(), ttl: TTL });
    await lease.reaches(State.ACQUIRED);
    const { resumeToken } = first.last;
    const own = { name, mode: Mode.SEMAPHORE, permits: 2 };
    for (const request of [
      { ...own, resumeToken: lease.last.resumeToken },
      { ...own, name: newName(), resumeToken },
      { ...own, permits: 3, resumeToken },
      { name, mode: Mode.MUTEX, resumeToken },
      { ...own, resumeToken: resumeToken.slice(1) },
      { ...own, resumeToken: 'no token' },
    ]) {
      expect(await openLockHold(at(), request).failure()).toMatchObject({
        code: 'InvalidArgument',
        reason: 'RESUME_TOKEN_INVALID',
      });
    }
    for await (const { resumeToken: other } of clients.leases.hold({ ttl: TTL })) {
      expect(await openLockHold(at(), { ...own, resumeToken: other }).failure()).toMatchObject({
        reason: 'RESUME_TOKEN_INVALID',
      });
      break;
    }
    expect(first.end).toBeUndefined();
  });
});

describe('a Hold without grace', () => {
  it('gives the lock to the next at once when its stream ends, and cannot be resumed', async () => {
    const name = newName();
    const first = await holdLock(clients, { name, ttl: TTL });
    await using next = await queueFor(elsewhere, { name, ttl: TTL });
    await first[Symbol.asyncDispose]();
    await next.reaches(State.ACQUIRED);
    const { resumeToken } = first.last;
    await eventually(async () => {
      expect(await openLockHold(clients, { name, resumeToken }).failure()).toMatchObject({
        reason: 'SESSION_NOT_FOUND',
      });
    });
  });
});
