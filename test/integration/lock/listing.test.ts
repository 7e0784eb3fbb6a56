import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Lock } from '../../../gen/concord/lock/v1/lock_pb.ts';
import { compact } from '../../support/etcd-watch-metrics.ts';
import { failureOf } from '../../support/failure-of.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import type { TestGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { type LockHold, queueFor } from './lock-hold.ts';

const TTL = { seconds: 600n };

let gateway: TestGateway & { readonly etcd: TestEtcd };
let clients: Clients;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
  clients = openClients(gateway.url);
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

/** Reads all pages, and asserts that they are of one revision. `between` is run after each. */
async function listAll(
  request: { readonly prefix: string; readonly pageSize: number },
  between: () => Promise<unknown> = async () => {},
): Promise<readonly Lock[]> {
  const locks: Lock[] = [];
  const revisions = new Set<bigint>();
  let pageToken = '';
  do {
    const page = await clients.locks.list({ ...request, pageToken });
    expect(page.locks.length).toBeLessThanOrEqual(request.pageSize);
    locks.push(...page.locks);
    revisions.add(page.revision);
    pageToken = page.nextPageToken;
    await between();
  } while (pageToken !== '');
  expect(revisions.size).toBe(1);
  return locks;
}

describe('a listing of locks', () => {
  it('is read page by page at one revision, whatever happens meanwhile', async () => {
    const prefix = `test/${randomUUID()}/`;
    const names = Array.from({ length: 25 }, (_, i) => `${prefix}${String(i).padStart(2, '0')}`);
    await Promise.all(names.map((name) => clients.locks.acquire({ name, ttl: TTL })));
    for (const pageSize of [1, 7, 25, 1_000]) {
      const listed = await listAll({ prefix, pageSize }, async () => {
        await clients.locks.acquire({ name: `${prefix}later/${randomUUID()}`, ttl: TTL });
      });
      expect(listed.map(({ name }) => name).slice(0, 25)).toEqual(names);
      expect(listed.every(({ holders }) => holders.length === 1)).toBe(true);
    }
    await clients.locks.break({ name: names[3] ?? '', reason: 'a test' });
    const listed = await listAll({ prefix, pageSize: 10 });
    expect(listed.map(({ name }) => name).slice(0, 24)).toEqual(names.filter((name) => name !== names[3]));
  });

  it('shows each lock whole, also one whose queue is longer than what is read at a time', async () => {
    const prefix = `test/${randomUUID()}/`;
    const waiters: LockHold[] = [];
    for (let i = 0; i < 7; i++) {
      const part = Array.from({ length: 150 }, () => queueFor(clients, { name: `${prefix}b`, ttl: TTL }));
      waiters.push(...(await Promise.all(part)));
    }
    for (const end of ['a', 'c']) await clients.locks.acquire({ name: prefix + end, ttl: TTL });
    const listed = await listAll({ prefix, pageSize: 1 });
    expect(listed.map(({ name, waiterCount }) => [name.slice(prefix.length), waiterCount])).toEqual([
      ['a', 0],
      ['b', 1_049],
      ['c', 0],
    ]);
    const [, long] = listed;
    expect(long?.holders).toHaveLength(1);
    expect(long?.waiters).toHaveLength(1_000);
    expect(long?.waiters.map(({ position }) => position)).toEqual(long?.waiters.map((_, i) => i + 1));
    await Promise.all(waiters.map((waiter) => waiter[Symbol.asyncDispose]()));
  }, 300_000);

  it('takes no token of another listing, nor one that was damaged', async () => {
    const prefix = `test/${randomUUID()}/`;
    for (const end of ['a', 'b']) await clients.locks.acquire({ name: prefix + end, ttl: TTL });
    const { nextPageToken } = await clients.locks.list({ prefix, pageSize: 1 });
    const damaged = nextPageToken.startsWith('A')
      ? `B${nextPageToken.slice(1)}`
      : `A${nextPageToken.slice(1)}`;
    for (const request of [
      { prefix: `${prefix}b`, pageToken: nextPageToken },
      { prefix: '', pageToken: nextPageToken },
      { prefix, pageToken: damaged },
      { prefix, pageToken: nextPageToken.slice(0, -4) },
      { prefix, pageToken: 'no token' },
    ]) {
      expect(await failureOf(clients.locks.list(request))).toMatchObject({
        code: 'InvalidArgument',
        reason: 'PAGE_TOKEN_INVALID',
      });
    }
  });

  it('starts over where its revision was compacted', async () => {
    const prefix = `test/${randomUUID()}/`;
    for (const end of ['a', 'b']) await clients.locks.acquire({ name: prefix + end, ttl: TTL });
    const { nextPageToken } = await clients.locks.list({ prefix, pageSize: 1 });
    const { revision } = await clients.kv.put({ key: `${prefix}key` });
    await compact(gateway.etcd.endpoint, revision);
    expect(await failureOf(clients.locks.list({ prefix, pageToken: nextPageToken }))).toMatchObject({
      code: 'OutOfRange',
      reason: 'REVISION_COMPACTED',
    });
  });

  it('has each lock once, whatever characters its name has', async () => {
    const prefix = `test/${randomUUID()}`;
    const names = ['', ' b', '!', '%', '-a', '.', '/', '/a', '0', 'a', 'ä'].map((end) => prefix + end);
    await Promise.all(names.map((name) => clients.locks.acquire({ name, ttl: TTL })));
    const listed = await listAll({ prefix, pageSize: 3 });
    expect(listed.map(({ name }) => name).toSorted()).toEqual(names.toSorted());
  });
});
