import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { listKeys } from '../../support/kv-client.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { queueFor } from './lock-hold.ts';

const TTL = { seconds: 600n };
const newName = () => `test/${randomUUID()}`;

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

/** Asserts that a release is refused and deletes nothing. */
async function isRefused(name: string, fencingToken: bigint): Promise<void> {
  const before = await listKeys(clients.kv, '');
  expect(await failureOf(clients.locks.release({ name, fencingToken }))).toMatchObject({
    code: 'FailedPrecondition',
    reason: 'NOT_LOCK_HOLDER',
    metadata: { lock: name, fencing_token: String(fencingToken) },
  });
  expect(await listKeys(clients.kv, '')).toEqual(before);
}

describe('a release', () => {
  it('with the token of another lock deletes nothing', async () => {
    const [name, another] = [newName(), newName()];
    const mine = await clients.locks.acquire({ name, ttl: TTL });
    const theirs = await clients.locks.acquire({ name: another, ttl: TTL });
    await isRefused(name, theirs.fencingToken);
    await isRefused(another, mine.fencingToken);
    for (const [lock, { fencingToken }] of [[name, mine] as const, [another, theirs] as const])
      expect(await clients.locks.verify({ name: lock, fencingToken })).toMatchObject({ held: true });
  });

  it('with the place of one who waits deletes nothing', async () => {
    const name = newName();
    const { fencingToken } = await clients.locks.acquire({ name, ttl: TTL });
    await using waiting = await queueFor(clients, { name, ttl: TTL });
    const places = await listKeys(clients.kv, '/concord/lock/');
    const place = [...places].find((key) =>
      key.endsWith(`/${String(waiting.last.leaseId).padStart(19, '0')}`),
    );
    const { kv } = await clients.kv.get({ key: place ?? '' });
    expect(kv?.createRevision).toBeGreaterThan(fencingToken);
    await isRefused(name, kv?.createRevision ?? 0n);
    expect((await clients.locks.get({ name })).lock?.waiterCount).toBe(1);
  });

  it('of what is no lock deletes nothing, whatever keys there are', async () => {
    const key = newName();
    const { revision } = await clients.kv.put({ key });
    const { fencingToken, leaseId } = await clients.locks.acquire({ name: key, ttl: TTL });
    await clients.kv.put({ key: `${key}/of the lease`, leaseId });
    await isRefused(key, revision);
    await isRefused(`/concord/lock/${key}`, fencingToken);
    await isRefused(`${key}/queue`, fencingToken);
  });

  it('of a lease that ended deletes nothing of the one who has the lock now', async () => {
    const name = newName();
    const first = await clients.locks.acquire({ name, ttl: TTL });
    await clients.leases.revoke({ leaseId: first.leaseId });
    const second = await clients.locks.acquire({ name, ttl: TTL });
    await isRefused(name, first.fencingToken);
    expect(await clients.locks.verify({ name, fencingToken: second.fencingToken })).toMatchObject({
      held: true,
    });
  });

  it('may be repeated at any gateway, also when another has the lock by then', async () => {
    const name = newName();
    const { fencingToken } = await clients.locks.acquire({ name, ttl: TTL });
    await clients.locks.release({ name, fencingToken });
    const second = await clients.locks.acquire({ name, ttl: TTL });
    await clients.locks.release({ name, fencingToken });
    await openClients(other.url).locks.release({ name, fencingToken });
    expect(await clients.locks.verify({ name, fencingToken: second.fencingToken })).toMatchObject({
      held: true,
    });
  });

  it('by many at once succeeds for all, and hands the lock to one', async () => {
    const name = newName();
    const { fencingToken } = await clients.locks.acquire({ name, ttl: TTL });
    const waiting = [1, 2, 3].map(() => queueFor(clients, { name, ttl: TTL }));
    const holds = await Promise.all(waiting);
    const releases = Array.from({ length: 20 }, (_, i) =>
      openClients(i % 2 === 0 ? gateway.url : other.url).locks.release({ name, fencingToken }),
    );
    await Promise.all(releases);
    await eventually(async () => {
      expect((await clients.locks.get({ name })).lock).toMatchObject({ waiterCount: 2, holders: [{}] });
    });
    for (const hold of holds) await hold[Symbol.asyncDispose]();
  });

  it('succeeds though the lease that releases are remembered on was revoked', async () => {
    await using own = await startGateway([etcd.endpoint]);
    const { locks } = openClients(own.url);
    const [name, another] = [newName(), newName()];
    const first = await clients.locks.acquire({ name, ttl: TTL });
    const second = await clients.locks.acquire({ name: another, ttl: TTL });
    await locks.release({ name, fencingToken: first.fencingToken });
    const remembered = await listKeys(clients.kv, '/concord/released/lock/');
    const key = [...remembered].find((released) => released.endsWith(String(first.fencingToken)));
    const { kv } = await clients.kv.get({ key: key ?? '' });
    await clients.leases.revoke({ leaseId: kv?.leaseId ?? 0n });
    await locks.release({ name: another, fencingToken: second.fencingToken });
    expect((await clients.locks.get({ name: another })).lock?.holders).toEqual([]);
  });

  it('ends the lease, with all keys that are attached to it', async () => {
    const name = newName();
    const key = newName();
    const { fencingToken, leaseId } = await clients.locks.acquire({ name, ttl: TTL });
    await clients.kv.put({ key, leaseId });
    await clients.locks.release({ name, fencingToken });
    await eventually(async () => {
      expect(await failureOf(clients.leases.get({ leaseId }))).toMatchObject({ reason: 'LEASE_NOT_FOUND' });
    });
    expect(await failureOf(clients.kv.get({ key }))).toMatchObject({ reason: 'KEY_NOT_FOUND' });
  });
});

describe('a lock that is broken', () => {
  it('for one token is broken for that one alone', async () => {
    const name = newName();
    const { fencingToken } = await clients.locks.acquire({ name, ttl: TTL });
    for (const wrong of [fencingToken + 1n, fencingToken - 1n]) {
      expect(await clients.locks.break({ name, fencingToken: wrong, reason: 'a test' })).toMatchObject({
        broken: [],
      });
    }
    expect(await clients.locks.verify({ name, fencingToken })).toMatchObject({ held: true });
    const { broken, revision } = await clients.locks.break({ name, fencingToken, reason: 'a test' });
    expect(broken).toMatchObject([{ fencingToken }]);
    expect(await clients.locks.verify({ name, fencingToken, minRevision: revision })).toMatchObject({
      held: false,
    });
  });

  it('lets no write through any more, and its breaking is logged with the reason', async () => {
    const name = newName();
    const { fencingToken, leaseId } = await clients.locks.acquire({ name, ttl: TTL });
    const fence = { holder: { case: 'lock', value: name }, token: fencingToken } as const;
    const key = newName();
    await clients.kv.put({ key, fence, value: 'held' });
    await clients.locks.break({ name, reason: 'nobody answers' });
    const put = { operation: { case: 'put', value: { key } } } as const;
    for (const failure of await Promise.all(
      [
        clients.kv.put({ key, fence }),
        clients.kv.batchPut({ entries: [{ key }], fence }),
        clients.kv.delete({ key, fence }),
        clients.kv.deleteRange({ prefix: key, fence }),
        clients.kv.txn({ success: [put], fence }),
        clients.kv.txn({ failure: [put], fence }),
      ].map(failureOf),
    )) {
      expect(failure).toMatchObject({ code: 'FailedPrecondition', reason: 'FENCE_LOST' });
    }
    expect((await clients.kv.get({ key })).kv).toMatchObject({ value: 'held', version: 1n });
    expect(gateway.logLines).toContainEqual(
      expect.objectContaining({ lock: name, reason: 'nobody answers', tokens: [String(fencingToken)] }),
    );
    await eventually(async () => {
      expect(await failureOf(clients.leases.get({ leaseId }))).toMatchObject({ reason: 'LEASE_NOT_FOUND' });
    });
  });
});
