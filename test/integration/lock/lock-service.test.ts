import { randomUUID } from 'node:crypto';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Consistency } from '../../../gen/concord/kv/v1/reading_pb.ts';
import { Mode } from '../../../gen/concord/lock/v1/lock_pb.ts';
import {
  HoldResponse_State as State,
  WatchResponse_Kind as WatchKind,
} from '../../../gen/concord/lock/v1/lock_service_pb.ts';
import { collect } from '../../support/collect.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { openClients } from '../../support/open-clients.ts';
import { PROTOCOLS } from '../../support/protocols.ts';
import type { TestGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { holdLock, queueFor } from './lock-hold.ts';

const TTL = { seconds: 600n };
const newName = () => `test/${randomUUID()}`;

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

describe.each(PROTOCOLS)('LockService over $name', ({ open }) => {
  const clients = () => openClients(gateway.url, open(gateway.url));

  it('gives a lock to one at a time, with tokens that grow', async () => {
    const { locks, leases } = clients();
    const name = newName();
    const beforeMs = Date.now();
    const first = await locks.acquire({ name, ttl: { seconds: 60n } });
    expect(first.fencingToken).toBeGreaterThan(0n);
    expect(first.revision).toBeGreaterThan(first.fencingToken);
    expect(first.leaseId).toBeLessThan(2n ** 53n);
    const expireMs = first.expireTime && timestampMs(first.expireTime);
    expect(expireMs).toBeGreaterThan(beforeMs + 59_000);
    expect(expireMs).toBeLessThanOrEqual(Date.now() + 60_000);
    expect(await leases.get({ leaseId: first.leaseId })).toMatchObject({ grantedTtl: { seconds: 60n } });

    const waiting = locks.acquire({ name });
    await eventually(async () => expect((await locks.get({ name })).lock?.waiterCount).toBe(1));
    await locks.release({ name, fencingToken: first.fencingToken });
    const second = await waiting;
    expect(second.fencingToken).toBeGreaterThan(first.fencingToken);
    await locks.release({ name, fencingToken: second.fencingToken });
    expect((await locks.get({ name })).lock).toMatchObject({ name, holders: [], waiters: [] });
  });

  it('tries a lock, and says who holds it where it cannot be had at once', async () => {
    const { locks } = clients();
    const name = newName();
    const { fencingToken } = await locks.tryAcquire({ name, owner: 'the first' });
    expect(await failureOf(locks.tryAcquire({ name }))).toMatchObject({
      code: 'Aborted',
      reason: 'LOCK_HELD',
      metadata: { lock: name, fencing_token: String(fencingToken), owner: 'the first' },
    });
    expect((await locks.get({ name })).lock?.waiterCount).toBe(0);
    await locks.release({ name, fencingToken });
    expect((await locks.tryAcquire({ name })).fencingToken).toBeGreaterThan(fencingToken);
  });

  it('shows who holds a lock and who waits for it, in order, and since when', async () => {
    const { locks } = clients();
    const name = newName();
    const beforeMs = Date.now();
    const held = await locks.acquire({ name, ttl: TTL, owner: 'anna' });
    await using second = await queueFor(clients(), { name, ttl: TTL, owner: 'ben' });
    await using third = await queueFor(clients(), { name, ttl: TTL, owner: 'eva' });
    const { lock, revision } = await locks.get({ name });
    expect(revision).toBeGreaterThan(held.revision);
    expect(lock).toMatchObject({
      name,
      holders: [
        {
          fencingToken: held.fencingToken,
          leaseId: held.leaseId,
          mode: Mode.MUTEX,
          permits: 0,
          owner: 'anna',
        },
      ],
      waiters: [
        { position: 1, leaseId: second.last.leaseId, mode: Mode.MUTEX, owner: 'ben' },
        { position: 2, leaseId: third.last.leaseId, mode: Mode.MUTEX, owner: 'eva' },
      ],
      waiterCount: 2,
    });
    for (const time of [lock?.holders[0]?.acquireTime, ...(lock?.waiters ?? []).map((w) => w.enqueueTime)]) {
      expect(time && timestampMs(time)).toBeGreaterThanOrEqual(beforeMs - 1);
      expect(time && timestampMs(time)).toBeLessThanOrEqual(Date.now());
    }
  });

  it('releases by the holder alone, who may repeat it', async () => {
    const { locks } = clients();
    const name = newName();
    const { fencingToken } = await locks.acquire({ name });
    for (const wrong of [fencingToken + 1n, fencingToken - 1n, 1n, 2n ** 63n - 1n]) {
      expect(await failureOf(locks.release({ name, fencingToken: wrong }))).toMatchObject({
        code: 'FailedPrecondition',
        reason: 'NOT_LOCK_HOLDER',
        metadata: { lock: name, fencing_token: String(wrong) },
      });
    }
    expect(await locks.verify({ name, fencingToken })).toMatchObject({ held: true });
    const released = await locks.release({ name, fencingToken });
    const again = await locks.release({ name, fencingToken });
    expect(again.revision).toBeGreaterThanOrEqual(released.revision);
    expect(await locks.verify({ name, fencingToken, minRevision: released.revision })).toMatchObject({
      held: false,
    });
  });

  it('breaks a lock, and says whom it was taken from', async () => {
    const { locks } = clients();
    const name = newName();
    const { fencingToken, leaseId } = await locks.acquire({ name, owner: 'gone astray' });
    const answer = await locks.break({ name, reason: 'a test' });
    expect(answer.broken).toMatchObject([{ fencingToken, leaseId, owner: 'gone astray' }]);
    expect(await locks.verify({ name, fencingToken })).toMatchObject({ held: false });
    expect(await failureOf(locks.release({ name, fencingToken }))).toMatchObject({
      reason: 'NOT_LOCK_HOLDER',
    });
    expect((await locks.break({ name, reason: 'again' })).broken).toEqual([]);
  });

  it('lists the locks that are in use', async () => {
    const { locks } = clients();
    const prefix = newName();
    for (const end of ['/a', '/b', '/c']) await locks.acquire({ name: prefix + end, ttl: TTL });
    const first = await locks.list({ prefix, pageSize: 2 });
    const second = await locks.list({ prefix, pageSize: 2, pageToken: first.nextPageToken });
    expect([first, second].map(({ locks: page }) => page.map(({ name }) => name))).toEqual([
      [`${prefix}/a`, `${prefix}/b`],
      [`${prefix}/c`],
    ]);
    expect(second.revision).toBe(first.revision);
    expect(second.nextPageToken).toBe('');
  });

  it('holds a lock while a stream is open', async () => {
    const { locks } = clients();
    const name = newName();
    const hold = await holdLock(clients(), { name, ttl: TTL });
    expect(hold.messages.map(({ state }) => state)).toEqual([State.QUEUED, State.ACQUIRED]);
    const { fencingToken } = hold.last;
    expect(await locks.verify({ name, fencingToken })).toMatchObject({ held: true });
    await hold[Symbol.asyncDispose]();
    await eventually(async () => {
      expect(await locks.verify({ name, fencingToken })).toMatchObject({ held: false });
    });
  });

  it('streams a lock', async () => {
    const { locks } = clients();
    const name = newName();
    const controller = new AbortController();
    await using watch = collect(locks.watch({ name }, { signal: controller.signal }), controller);
    await watch.find(({ kind, lock }) => kind === WatchKind.SNAPSHOT && lock?.holders.length === 0);
    const { fencingToken } = await locks.acquire({ name });
    await watch.find(({ lock }) => lock?.holders[0]?.fencingToken === fencingToken);
  });

  it('answers no older than it is asked to, and not before the store is there', async () => {
    const { locks } = clients();
    const name = newName();
    const { revision, fencingToken } = await locks.acquire({ name });
    for (const consistency of [Consistency.LINEARIZABLE, Consistency.SERIALIZABLE]) {
      const freshness = { consistency, minRevision: revision };
      expect((await locks.get({ name, ...freshness })).lock?.holders).toHaveLength(1);
      expect((await locks.verify({ name, fencingToken, ...freshness })).held).toBe(true);
      expect((await locks.list({ prefix: name, ...freshness })).locks).toHaveLength(1);
      const future = { consistency, minRevision: 2n ** 60n };
      const calls = [
        locks.get({ name, ...future }),
        locks.verify({ name, fencingToken, ...future }),
        locks.list({ prefix: name, ...future }),
      ];
      for (const failure of await Promise.all(calls.map(failureOf))) {
        expect(failure).toMatchObject({ code: 'OutOfRange', reason: 'REVISION_IN_FUTURE' });
      }
    }
  });
});
