import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Mode } from '../../../gen/concord/lock/v1/lock_pb.ts';
import { failureOf } from '../../support/failure-of.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import type { TestGateway } from '../../support/start-gateway.ts';
import { LONG_LEASES, startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { storeStateOf } from '../../support/store-state.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';

const DAY = { seconds: 86_400n };

let gateway: TestGateway & { readonly etcd: TestEtcd };
let clients: Clients;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd({}, LONG_LEASES);
  clients = openClients(gateway.url);
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

interface Wish {
  readonly name: string;
  readonly ttl?: { readonly seconds?: bigint; readonly nanos?: number };
  readonly mode?: Mode;
  readonly permits?: number;
  readonly owner?: string;
}

async function firstOf(stream: AsyncIterable<unknown>): Promise<unknown> {
  for await (const message of stream) return message;
  return undefined;
}

/** The rpcs that take a lock. */
const TAKING: readonly (readonly [string, (wish: Wish) => Promise<unknown>])[] = [
  ['Acquire', (wish) => clients.locks.acquire(wish)],
  ['TryAcquire', (wish) => clients.locks.tryAcquire(wish)],
  ['Hold', (wish) => firstOf(clients.locks.hold(wish))],
];

/** Every rpc that takes a name. */
const NAMED: readonly (readonly [string, (name: string) => Promise<unknown>])[] = [
  ...TAKING.map(([rpc, call]) => [rpc, (name: string) => call({ name })] as const),
  ['Release', (name) => clients.locks.release({ name, fencingToken: 1n })],
  ['Get', (name) => clients.locks.get({ name })],
  ['Watch', (name) => firstOf(clients.locks.watch({ name }))],
  ['Verify', (name) => clients.locks.verify({ name, fencingToken: 1n })],
  ['Break', (name) => clients.locks.break({ name, reason: 'a test' })],
];

/** Asserts that a call fails for a field and has changed nothing in the store. */
async function isRefused(call: () => Promise<unknown>, field: string): Promise<void> {
  expect(await failureOf(call())).toMatchObject({
    code: 'InvalidArgument',
    reason: 'FIELD_INVALID',
    metadata: { field },
  });
}

describe.each(TAKING)('%s', (_, call) => {
  it.each([
    ['ttl', 'of 0', { ttl: { seconds: 0n } }],
    ['ttl', 'below 0', { ttl: { seconds: -1n } }],
    ['ttl', 'just below 0', { ttl: { nanos: -1 } }],
    ['ttl', 'over a day', { ttl: { seconds: 86_400n, nanos: 1 } }],
    ['ttl', 'as long as can be', { ttl: { seconds: 315_576_000_000n } }],
    ['mode', 'that does not exist', { mode: 5 as Mode }],
    ['permits', 'below 0', { mode: Mode.SEMAPHORE, permits: -1 }],
    ['permits', 'over 10,000', { mode: Mode.SEMAPHORE, permits: 10_001 }],
    ['owner', 'of more than 256 bytes', { owner: 'ü'.repeat(129) }],
  ])('takes no %s %s', async (field, _what, request) => {
    const before = await storeStateOf(gateway.etcd);
    await isRefused(() => call({ name: `test/${randomUUID()}`, ...request }), field);
    expect(await storeStateOf(gateway.etcd)).toEqual(before);
  });

  it('takes permits with a semaphore, and only then', async () => {
    const name = `test/${randomUUID()}`;
    for (const request of [
      { name, permits: 1 },
      { name, mode: Mode.MUTEX, permits: 2 },
      { name, mode: Mode.READ, permits: 2 },
      { name, mode: Mode.WRITE, permits: 2 },
      { name, mode: Mode.SEMAPHORE },
    ]) {
      expect(await failureOf(call(request))).toMatchObject({
        code: 'InvalidArgument',
        reason: 'FIELD_INVALID',
        message: expect.stringContaining('permits'),
      });
    }
  });

  it('takes a ttl of a part of a second and one of a day', async () => {
    for (const ttl of [{ nanos: 1 }, DAY]) {
      expect(await call({ name: `test/${randomUUID()}`, ttl })).toBeDefined();
    }
  });
});

describe.each(NAMED)('%s', (_, call) => {
  it.each([
    ['is empty', ''],
    ['has more than 1024 bytes', 'ü'.repeat(513)],
    ['has a line break', 'a\nb'],
    ['has a NUL', 'a\0'],
    ['has a DEL', '\x7f'],
    ['has a control character of Latin-1', 'a\x85b'],
  ])('takes no name that %s', async (_what, name) => {
    await isRefused(() => call(name), 'name');
  });
});

describe('Hold', () => {
  it.each([
    ['below 0', { nanos: -1 }],
    ['over a day', { seconds: 86_401n }],
  ])('takes no grace %s', async (_, grace) => {
    await isRefused(() => firstOf(clients.locks.hold({ name: 'a', grace })), 'grace');
  });

  it('takes nothing besides the token that the stream to be resumed began with', async () => {
    for (const more of [{ ttl: DAY }, { grace: DAY }, { owner: 'me' }]) {
      const call = firstOf(clients.locks.hold({ name: 'a', resumeToken: 'AAAA', ...more }));
      expect(await failureOf(call)).toMatchObject({
        reason: 'FIELD_INVALID',
        message: expect.stringContaining('resumed'),
      });
    }
  });
});

describe('Release and Verify', () => {
  it.each([0n, -1n])('take no token %d', async (fencingToken) => {
    await isRefused(() => clients.locks.release({ name: 'a', fencingToken }), 'fencing_token');
    await isRefused(() => clients.locks.verify({ name: 'a', fencingToken }), 'fencing_token');
  });
});

describe('Break', () => {
  it('takes no token below 0, and a reason of 1 to 1024 bytes', async () => {
    const { locks } = clients;
    await isRefused(() => locks.break({ name: 'a', fencingToken: -1n, reason: 'r' }), 'fencing_token');
    await isRefused(() => locks.break({ name: 'a' }), 'reason');
    await isRefused(() => locks.break({ name: 'a', reason: 'r'.repeat(1_025) }), 'reason');
  });
});

describe('Watch', () => {
  it.each([{ nanos: 999_999_999 }, { seconds: 3_601n }])(
    'takes no checkpoint interval of $seconds $nanos',
    async (checkpointInterval) => {
      const call = () => firstOf(clients.locks.watch({ name: 'a', checkpointInterval }));
      await isRefused(call, 'checkpoint_interval');
    },
  );
});

describe('the name of a lock', () => {
  const id = randomUUID();

  it.each([
    ['slashes', `/${id}//queue/mutex/`],
    ['dots', `../${id}/..`],
    ['percent signs', `%2F${id}%25%`],
    ['spaces', ` ${id}  `],
    ['letters of many scripts and emoji', `${id}/Größe/дверь/锁/🔒`],
    ['1024 bytes', id.padEnd(1_024, '/')],
    ['1024 bytes of two bytes each', id.padEnd(36 + 494, 'ü')],
    ['what keys of another lock look like', `${id}/holder/0000000000000000001`],
  ])('may have %s', async (_, name) => {
    const { locks, kv } = clients;
    const { fencingToken } = await locks.acquire({ name, ttl: DAY });
    expect((await locks.get({ name })).lock).toMatchObject({ name, holders: [{ fencingToken }] });
    expect((await locks.list({ prefix: name })).locks).toMatchObject([{ name }]);
    expect((await locks.verify({ name, fencingToken })).held).toBe(true);
    const fence = { holder: { case: 'lock', value: name }, token: fencingToken } as const;
    await kv.put({ key: `test/${id}`, fence });
    await locks.release({ name, fencingToken });
    await locks.release({ name, fencingToken });
    expect((await locks.get({ name })).lock?.holders).toEqual([]);
    expect(await failureOf(kv.put({ key: `test/${id}`, fence }))).toMatchObject({ reason: 'FENCE_LOST' });
  });

  it('that escapes to what another is called is not that other', async () => {
    const { locks } = clients;
    for (const name of [`${id}/a`, `${id}%2Fa`, `${id}%252Fa`, `${id}%a`, `${id}%25a`]) {
      await locks.tryAcquire({ name, ttl: DAY });
    }
    expect((await locks.list({ prefix: id })).locks).toHaveLength(5);
    expect((await locks.list({ prefix: `${id}/` })).locks).toHaveLength(1);
    expect((await locks.list({ prefix: `${id}%2` })).locks).toHaveLength(3);
  });
});
