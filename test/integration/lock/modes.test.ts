import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Mode } from '../../../gen/concord/lock/v1/lock_pb.ts';
import { HoldResponse_State as State } from '../../../gen/concord/lock/v1/lock_service_pb.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import type { TestGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { readLockHistory } from './lock-history.ts';
import { holdLock, type LockHold, openLockHold, queueFor } from './lock-hold.ts';

const TTL = { seconds: 600n };
const newName = () => randomUUID();

let gateway: TestGateway & { readonly etcd: TestEtcd };
let clients: Clients;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
  clients = openClients(gateway.url);
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

const reading = (name: string) => ({ name, ttl: TTL, mode: Mode.READ });
const writing = (name: string) => ({ name, ttl: TTL, mode: Mode.WRITE });
const counted = (name: string, permits: number) => ({ name, ttl: TTL, mode: Mode.SEMAPHORE, permits });

/** Asserts that these wait, by what the store says and by what they were told. */
async function areWaiting(name: string, holds: readonly LockHold[]): Promise<void> {
  const { lock } = await clients.locks.get({ name });
  const waiting = new Set(lock?.waiters.map(({ leaseId }) => leaseId));
  expect(holds.map(({ last }) => waiting.has(last.leaseId))).toEqual(holds.map(() => true));
  expect(holds.map(({ last }) => last.state)).toEqual(holds.map(() => State.QUEUED));
}

async function endAll(holds: readonly LockHold[]): Promise<void> {
  await Promise.all(holds.map((hold) => hold[Symbol.asyncDispose]()));
}

describe('a lock for reading and writing', () => {
  it('is held by many that read at once, and then by one that writes alone', async () => {
    const name = newName();
    const readers = await Promise.all([1, 2, 3].map(() => holdLock(clients, reading(name))));
    const writer = await queueFor(clients, writing(name));
    const second = await queueFor(clients, writing(name));
    const { lock } = await clients.locks.get({ name });
    expect(lock?.holders.map(({ mode }) => mode)).toEqual([Mode.READ, Mode.READ, Mode.READ]);
    expect(lock?.waiters.map(({ mode, position }) => [mode, position])).toEqual([
      [Mode.WRITE, 3],
      [Mode.WRITE, 4],
    ]);
    // Whoever of those that read is last lets the writer in, not who came last.
    await endAll(readers.toReversed().slice(0, 2));
    await areWaiting(name, [writer, second]);
    await endAll(readers);
    await writer.reaches(State.ACQUIRED);
    await areWaiting(name, [second]);
    await endAll([writer]);
    await second.reaches(State.ACQUIRED);
    await endAll([second]);
  });

  it('has those that read wait behind one that waits to write, and lets them in together after it', async () => {
    const name = newName();
    const first = await holdLock(clients, reading(name));
    const writer = await queueFor(clients, writing(name));
    const readers = [await queueFor(clients, reading(name)), await queueFor(clients, reading(name))];
    const last = await queueFor(clients, writing(name));
    await areWaiting(name, [writer, ...readers, last]);
    expect(await failureOf(clients.locks.tryAcquire(reading(name)))).toMatchObject({ reason: 'LOCK_HELD' });
    await endAll([first]);
    await writer.reaches(State.ACQUIRED);
    await areWaiting(name, [...readers, last]);
    await endAll([writer]);
    await Promise.all(readers.map((reader) => reader.reaches(State.ACQUIRED)));
    await areWaiting(name, [last]);
    await endAll(readers);
    await last.reaches(State.ACQUIRED);
    await endAll([last]);
  });

  it('lets those that read in when the one that waited to write leaves', async () => {
    const name = newName();
    await using _first = await holdLock(clients, reading(name));
    const writer = await queueFor(clients, writing(name));
    await using reader = await queueFor(clients, reading(name));
    await endAll([writer]);
    await reader.reaches(State.ACQUIRED);
  });

  it('is tried with success by those that read, and not by one that writes, while it is read', async () => {
    const name = newName();
    const held = [
      await clients.locks.tryAcquire(reading(name)),
      await clients.locks.tryAcquire(reading(name)),
    ];
    expect(await failureOf(clients.locks.tryAcquire(writing(name)))).toMatchObject({ reason: 'LOCK_HELD' });
    for (const { fencingToken } of held) await clients.locks.release({ name, fencingToken });
    await clients.locks.tryAcquire(writing(name));
    expect(await failureOf(clients.locks.tryAcquire(reading(name)))).toMatchObject({ reason: 'LOCK_HELD' });
  });
});

describe('a semaphore', () => {
  it('is held by as many as it has permits, and lets in the next when any of them leaves', async () => {
    const name = newName();
    const holders = await Promise.all([1, 2, 3].map(() => holdLock(clients, counted(name, 3))));
    const waiters: LockHold[] = [];
    for (let i = 0; i < 3; i++) waiters.push(await queueFor(clients, counted(name, 3)));
    await areWaiting(name, waiters);
    expect(await failureOf(clients.locks.tryAcquire(counted(name, 3)))).toMatchObject({
      reason: 'LOCK_HELD',
    });
    const [first, second, third] = waiters;
    await endAll(holders.slice(1, 2));
    await first?.reaches(State.ACQUIRED);
    await areWaiting(name, waiters.slice(1));
    await endAll(waiters.slice(1, 2));
    await areWaiting(name, waiters.slice(2));
    expect(second?.last.state).toBe(State.QUEUED);
    await endAll(waiters.slice(0, 1));
    await third?.reaches(State.ACQUIRED);
    const { lock } = await clients.locks.get({ name });
    expect(lock?.holders.map(({ permits }) => permits)).toEqual([3, 3, 3]);
    await endAll([...holders, ...waiters]);
  });

  it('is never held by more, nor out of turn, however many come and go', async () => {
    const { revision } = await clients.locks.get({ name: 'any' });
    const name = newName();
    const rounds = Array.from({ length: 30 }, async (_, i) => {
      for (let round = 0; round < 10; round++) {
        if (i % 3 === 0) {
          await using _hold = await holdLock(clients, counted(name, 4));
        } else if (i % 3 === 1) {
          const { fencingToken } = await clients.locks.acquire(counted(name, 4), { timeoutMs: 60_000 });
          await clients.locks.release({ name, fencingToken });
        } else {
          // Some leave before their turn, at any moment.
          const signal = AbortSignal.timeout(1 + 7 * round);
          await clients.locks.acquire(counted(name, 4), { signal }).catch(() => {});
        }
      }
    });
    await Promise.all(rounds);
    const history = await readLockHistory([gateway.etcd.endpoint], {
      permits: 4,
      fromRevision: revision + 1n,
    });
    expect(history.faults).toEqual([]);
    expect(history.acquisitions.get(name)).toBeGreaterThanOrEqual(200);
  }, 120_000);

  it('with more holders than fit into one transaction is broken for all of them', async () => {
    const name = newName();
    const calls = Array.from({ length: 150 }, () => clients.locks.acquire(counted(name, 200)));
    const held = await Promise.all(calls);
    const { broken } = await clients.locks.break({ name, reason: 'a test' });
    const inOrder = (tokens: readonly bigint[]) => tokens.toSorted((a, b) => Number(a - b));
    expect(broken.map(({ fencingToken }) => fencingToken)).toEqual(
      inOrder(held.map(({ fencingToken }) => fencingToken)),
    );
    expect((await clients.locks.get({ name })).lock?.holders).toEqual([]);
    await eventually(async () => {
      for (const { leaseId } of held.slice(0, 5))
        expect(await failureOf(clients.leases.get({ leaseId }))).toMatchObject({ reason: 'LEASE_NOT_FOUND' });
    });
  });
});

describe('a lock that is in use', () => {
  const uses = {
    mutex: { mode: Mode.MUTEX },
    read: { mode: Mode.READ },
    write: { mode: Mode.WRITE },
    semaphore: { mode: Mode.SEMAPHORE, permits: 2 },
    'other semaphore': { mode: Mode.SEMAPHORE, permits: 3 },
  };
  const goTogether = (a: string, b: string) => a === b || (/read|write/.test(a) && /read|write/.test(b));
  const pairs = Object.keys(uses).flatMap((a) =>
    Object.keys(uses).flatMap((b) => (goTogether(a, b) ? [] : [[a, b] as const])),
  ) as (readonly [keyof typeof uses, keyof typeof uses])[];

  it.each(pairs)('as %s is not to be had as %s, until it is free', async (use, wanted) => {
    const name = newName();
    const { fencingToken } = await clients.locks.acquire({ name, ttl: TTL, ...uses[use] });
    const request = { name, ttl: TTL, ...uses[wanted] };
    const mismatch = {
      code: 'FailedPrecondition',
      reason: 'LOCK_MODE_MISMATCH',
      metadata: {
        lock: name,
        mode: use.replace('other ', ''),
        ...('permits' in uses[use] && { permits: String(uses[use].permits) }),
      },
    };
    expect(await failureOf(clients.locks.acquire(request))).toEqual(expect.objectContaining(mismatch));
    expect(await failureOf(clients.locks.tryAcquire(request))).toEqual(expect.objectContaining(mismatch));
    expect(await openLockHold(clients, request).failure()).toEqual(expect.objectContaining(mismatch));
    await clients.locks.release({ name, fencingToken });
    await clients.locks.tryAcquire(request);
  });
});
