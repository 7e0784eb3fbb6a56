import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  WatchResponse_Kind as Kind,
  type WatchResponse,
} from '../../../gen/concord/lock/v1/lock_service_pb.ts';
import { type Collected, collect } from '../../support/collect.ts';
import { startFaultProxy } from '../../support/fault-proxy.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { queueFor } from './lock-hold.ts';

const TTL = { seconds: 600n };
const newName = () => `test/${randomUUID()}`;

let etcd: TestEtcd;
let gateway: TestGateway;
let clients: Clients;

beforeAll(async () => {
  etcd = await startEtcd();
  gateway = await startGateway([etcd.endpoint]);
  clients = openClients(gateway.url);
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await etcd?.stop();
});

/** Watches a lock, and resolves when it was shown first. */
async function watchLock(
  request: Parameters<Clients['locks']['watch']>[0],
  { locks } = clients,
): Promise<Collected<WatchResponse>> {
  const controller = new AbortController();
  const watch = collect(locks.watch(request, { signal: controller.signal }), controller);
  await watch.find(() => true);
  return watch;
}

/** What a message shows, in short. */
function outline({ lock }: WatchResponse): readonly [holders: readonly bigint[], waiters: number] {
  return [lock?.holders.map(({ fencingToken }) => fencingToken) ?? [], lock?.waiterCount ?? 0];
}

describe('a watch of a lock', () => {
  it('shows it at once, and whole after each change', async () => {
    const name = newName();
    await using watch = await watchLock({ name });
    expect(watch.messages[0]).toMatchObject({
      kind: Kind.SNAPSHOT,
      lock: { name, holders: [], waiters: [], waiterCount: 0 },
    });
    let looked = 0;
    const shows = async (holders: readonly bigint[], waiters: number) => {
      const wanted = JSON.stringify([holders.map(String), waiters]);
      const isWanted = (message: WatchResponse) => {
        const [tokens, count] = outline(message);
        return JSON.stringify([tokens.map(String), count]) === wanted;
      };
      looked = watch.messages.indexOf(await watch.find(isWanted, { from: looked })) + 1;
    };
    const first = await clients.locks.acquire({ name, ttl: TTL, owner: 'anna' });
    await shows([first.fencingToken], 0);
    const waiting = clients.locks.acquire({ name, ttl: TTL, owner: 'ben' });
    await shows([first.fencingToken], 1);
    await clients.locks.release({ name, fencingToken: first.fencingToken });
    const second = await waiting;
    await shows([second.fencingToken], 0);
    await clients.locks.break({ name, reason: 'a test' });
    await shows([], 0);
    const last = watch.messages.at(-1);
    const { lock } = await clients.locks.get({ name, minRevision: last?.revision ?? 0n });
    expect(last?.lock).toEqual(lock);
  });

  it('shows every state of a lock whose changes are told one by one, in order', async () => {
    const name = newName();
    await using watch = await watchLock({ name });
    for (let i = 0; i < 20; i++) {
      const { fencingToken, revision } = await clients.locks.acquire({ name, ttl: TTL });
      await watch.find((message) => message.revision >= revision && outline(message)[0][0] === fencingToken);
      const released = await clients.locks.release({ name, fencingToken });
      await watch.find(
        (message) => message.revision === released.revision && outline(message)[0].length === 0,
      );
    }
    const revisions = watch.messages.map(({ revision }) => revision);
    expect(revisions).toEqual(revisions.toSorted((a, b) => Number(a - b)));
    for (const message of watch.messages) expect(outline(message)[0].length).toBeLessThanOrEqual(1);
  });

  it('begins with those who are there, and shows them in the order of Get', async () => {
    const name = newName();
    await clients.locks.acquire({ name, ttl: TTL });
    await using _second = await queueFor(clients, { name, ttl: TTL, owner: 'ben' });
    await using _third = await queueFor(clients, { name, ttl: TTL, owner: 'eva' });
    await using watch = await watchLock({ name });
    const { lock } = await clients.locks.get({ name });
    expect(watch.messages[0]?.lock).toEqual(lock);
    expect(lock?.waiters.map(({ owner }) => owner)).toEqual(['ben', 'eva']);
  });

  it('sees nothing of locks whose names begin alike', async () => {
    const name = newName();
    await using watch = await watchLock({ name });
    for (const other of [`${name}/a`, `${name}a`, `${name}%2F`, `${name} `]) {
      await clients.locks.acquire({ name: other, ttl: TTL });
    }
    const { fencingToken } = await clients.locks.acquire({ name, ttl: TTL });
    await watch.find((message) => outline(message)[0][0] === fencingToken);
    for (const { lock } of watch.messages) expect(lock?.name ?? name).toBe(name);
    expect(
      watch.messages.every((message) => outline(message)[0].every((token) => token === fencingToken)),
    ).toBe(true);
  });

  it('says at its interval that nothing is still to come', async () => {
    const name = newName();
    await using watch = await watchLock({ name, checkpointInterval: { seconds: 1n } });
    const { revision } = await clients.kv.put({ key: newName() });
    const checkpoint = await watch.find(
      (message) => message.kind === Kind.CHECKPOINT && message.revision >= revision,
    );
    expect(checkpoint.lock).toBeUndefined();
  });

  it('goes on after the connection to the store broke, and misses no change', async () => {
    await using proxy = await startFaultProxy(etcd.port);
    await using faulty = await startGateway([proxy.endpoint]);
    const name = newName();
    await using watch = await watchLock({ name }, openClients(faulty.url));
    for (let i = 0; i < 3; i++) {
      proxy.refuse();
      proxy.cut();
      const { fencingToken } = await clients.locks.acquire({ name, ttl: TTL });
      const waiting = clients.locks.acquire({ name, ttl: TTL });
      proxy.accept();
      await watch.find((message) => outline(message)[0][0] === fencingToken && outline(message)[1] === 1);
      await clients.locks.break({ name, reason: 'a test' });
      const next = await waiting;
      await watch.find((message) => outline(message)[0][0] === next.fencingToken);
      await clients.locks.release({ name, fencingToken: next.fencingToken });
    }
  });
});
