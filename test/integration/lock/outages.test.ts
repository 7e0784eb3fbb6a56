import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { HoldResponse_State as State } from '../../../gen/concord/lock/v1/lock_service_pb.ts';
import { compact } from '../../support/etcd-watch-metrics.ts';
import { eventually } from '../../support/eventually.ts';
import { openClients } from '../../support/open-clients.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway } from '../../support/start-gateway.ts';
import { startFaultyGateway } from '../watch/start-faulty-gateway.ts';
import { holdLock, queueFor } from './lock-hold.ts';

const TTL = { seconds: 600n };
const TIMEOUT_MS = 180_000;

describe('one who waits for a lock at a gateway that is cut off from the store', () => {
  it.each([
    ['comes back', false],
    ['comes back and finds that what it missed was compacted away', true],
  ])(
    'is given the lock when the gateway %s',
    async (_, isCompacted) => {
      await using etcd = await startEtcd();
      await using near = await startGateway([etcd.endpoint]);
      await using faulty = await startFaultyGateway(etcd);
      const { locks, kv } = openClients(near.url);
      const there = openClients(faulty.gateway.url);
      const name = randomUUID();
      const { fencingToken } = await locks.acquire({ name, ttl: TTL });
      await using holding = await queueFor(there, { name, ttl: TTL });
      const acquiring = there.locks.acquire({ name, ttl: TTL }, { timeoutMs: 60_000 });
      await eventually(async () => expect((await locks.get({ name })).lock?.waiterCount).toBe(2));

      faulty.proxy.refuse();
      faulty.proxy.cut();
      await locks.release({ name, fencingToken });
      const { revision } = await kv.put({ key: `test/${name}` });
      if (isCompacted) await compact(etcd.endpoint, revision);
      expect((await locks.get({ name })).lock).toMatchObject({ holders: [], waiterCount: 2 });
      faulty.proxy.accept();

      const held = await holding.reaches(State.ACQUIRED, 60_000);
      await locks.release({ name, fencingToken: held.fencingToken });
      expect((await acquiring).fencingToken).toBeGreaterThan(held.fencingToken);
    },
    TIMEOUT_MS,
  );
});

describe('a lock whose store is killed and started again', () => {
  it(
    'is held by the same one, and waited for in the same order',
    async () => {
      await using etcd = await startEtcd();
      await using gateway = await startGateway([etcd.endpoint]);
      const clients = openClients(gateway.url);
      const name = randomUUID();
      const request = { name, ttl: TTL };
      const holder = await holdLock(clients, request);
      const waiters = [await queueFor(clients, request), await queueFor(clients, request)];
      await etcd.kill();
      await etcd.restart();
      const { fencingToken } = holder.last;
      await eventually(async () => {
        expect(await clients.locks.verify({ name, fencingToken })).toMatchObject({ held: true });
      });
      expect(holder.end).toBeUndefined();
      for (const waiter of [holder, ...waiters]) {
        await waiter.reaches(State.ACQUIRED, 60_000);
        await waiter[Symbol.asyncDispose]();
      }
      const tokens = [holder, ...waiters].map(({ last }) => last.fencingToken);
      expect(tokens).toEqual(tokens.toSorted((a, b) => Number(a - b)));
    },
    TIMEOUT_MS,
  );

  it(
    'is lost by its holder, who is told in time, when the store is away for longer than the time to live',
    async () => {
      await using etcd = await startEtcd();
      await using gateway = await startGateway([etcd.endpoint]);
      const clients = openClients(gateway.url);
      const name = randomUUID();
      await using holder = await holdLock(clients, { name, ttl: { seconds: 2n } });
      await using waiter = await queueFor(clients, { name, ttl: { seconds: 2n } });
      await etcd.kill();
      await holder.isLost();
      await waiter.isLost();
      await etcd.restart();
      await eventually(async () => {
        const { fencingToken } = await clients.locks.tryAcquire({ name, ttl: TTL });
        expect(fencingToken).toBeGreaterThan(holder.messages[1]?.fencingToken ?? 0n);
      }, 60_000);
    },
    TIMEOUT_MS,
  );
});
