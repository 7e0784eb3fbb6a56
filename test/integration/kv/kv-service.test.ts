import { randomUUID } from 'node:crypto';
import { createClient } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KvService } from '../../../gen/concord/kv/v1/kv_service_pb.ts';
import { Consistency, Encoding, Order, View } from '../../../gen/concord/kv/v1/reading_pb.ts';
import { Compare_Comparison } from '../../../gen/concord/kv/v1/txn_pb.ts';
import { leaderKey, lockHolderKey } from '../../../src/domain/fence.ts';
import { failureOf } from '../../support/failure-of.ts';
import { PROTOCOLS_BOTH_WAYS } from '../../support/protocols.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';

let etcd: TestEtcd;
let gateway: TestGateway;

beforeAll(async () => {
  etcd = await startEtcd();
  gateway = await startGateway([etcd.endpoint]);
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await etcd?.stop();
});

describe.each(PROTOCOLS_BOTH_WAYS)('KvService over $name', ({ open }) => {
  const NOT_TEXT = Uint8Array.of(0xff, 0x00, 0xfe);
  const connect = () => createClient(KvService, open(gateway.url));
  const prefixOf = () => `test/${randomUUID()}/`;

  it('writes and reads a key', async () => {
    const kv = connect();
    const key = `${prefixOf()}ключ 键 %2F key`;
    const put = await kv.put({ key, value: 'välue' });
    const got = await kv.get({ key });
    expect(got.kv).toMatchObject({
      key,
      value: 'välue',
      version: 1n,
      leaseId: 0n,
      modRevision: put.revision,
    });
    expect(got.kv?.valueBytes).toHaveLength(0);
    expect(got.revision).toBeGreaterThanOrEqual(put.revision);
    expect(put).toMatchObject({ version: 1n, leaseId: 0n });
    expect((await kv.put({ key, value: '2' })).version).toBe(2n);
  });

  it('keeps binary keys and values to the byte', async () => {
    const kv = connect();
    const keyBytes = Buffer.concat([Buffer.from(prefixOf()), NOT_TEXT]);
    await kv.put({ keyBytes, valueBytes: NOT_TEXT });
    const { kv: stored } = await kv.get({ keyBytes });
    expect(stored?.key).toBe('');
    expect(stored?.value).toBe('');
    expect(Buffer.from(stored?.keyBytes ?? [])).toEqual(keyBytes);
    expect([...(stored?.valueBytes ?? [])]).toEqual([...NOT_TEXT]);
  });

  it('answers in bytes where the caller asks for them', async () => {
    const kv = connect();
    const key = `${prefixOf()}text`;
    await kv.put({ key, value: 'text' });
    const { kv: stored } = await kv.get({ key, encoding: Encoding.BYTES });
    expect(stored).toMatchObject({ key: '', value: '' });
    expect(Buffer.from(stored?.valueBytes ?? []).toString()).toBe('text');
  });

  it('holds an empty value', async () => {
    const kv = connect();
    const key = `${prefixOf()}empty`;
    await kv.put({ key });
    expect((await kv.get({ key })).kv).toMatchObject({ value: '', version: 1n });
  });

  it('says of a missing key that it is not found', async () => {
    const key = `${prefixOf()}missing`;
    expect(await failureOf(connect().get({ key }))).toMatchObject({
      code: 'NotFound',
      reason: 'KEY_NOT_FOUND',
      metadata: { key },
    });
  });

  it('reads the past, and says where it is gone or still to come', async () => {
    const kv = connect();
    const key = `${prefixOf()}history`;
    const first = await kv.put({ key, value: 'old' });
    await kv.put({ key, value: 'new' });
    const past = await kv.get({ key, revision: first.revision });
    expect(past).toMatchObject({ revision: first.revision, kv: { value: 'old' } });
    expect(await failureOf(kv.get({ key, revision: first.revision + 1_000_000n }))).toMatchObject({
      code: 'OutOfRange',
      reason: 'REVISION_IN_FUTURE',
    });
    expect(await failureOf(kv.get({ key, minRevision: first.revision + 1_000_000n }))).toMatchObject({
      code: 'OutOfRange',
      reason: 'REVISION_IN_FUTURE',
    });
  });

  it('reads its own writes by min_revision, serializable too', async () => {
    const kv = connect();
    const key = `${prefixOf()}own`;
    const { revision } = await kv.put({ key, value: 'mine' });
    const answer = await kv.get({ key, minRevision: revision, consistency: Consistency.SERIALIZABLE });
    expect(answer.kv?.value).toBe('mine');
  });

  it('reads many keys at one revision and names the missing', async () => {
    const kv = connect();
    const prefix = prefixOf();
    await kv.batchPut({ entries: ['a', 'b', 'c'].map((name) => ({ key: prefix + name, value: name })) });
    const answer = await kv.batchGet({
      keys: [`${prefix}c`, `${prefix}x`, `${prefix}a`],
      keysBytes: [Buffer.concat([Buffer.from(prefix), NOT_TEXT])],
    });
    expect(answer.kvs.map(({ value }) => value)).toEqual(['c', 'a']);
    expect(answer.missingKeys).toEqual([`${prefix}x`]);
    expect(answer.missingKeysBytes).toHaveLength(1);
  });

  it('lists a prefix page by page, all pages at one revision', async () => {
    const kv = connect();
    const prefix = prefixOf();
    const names = Array.from({ length: 25 }, (_, i) => `${prefix}${String(i).padStart(2, '0')}`);
    await kv.batchPut({ entries: names.map((key) => ({ key, value: key })) });

    const first = await kv.list({ prefix, pageSize: 10 });
    await kv.put({ key: `${prefix}00-later`, value: 'not in this listing' });
    await kv.delete({ key: `${prefix}20` });
    const keys = first.kvs.map(({ key }) => key);
    let token = first.nextPageToken;
    while (token !== '') {
      const page = await kv.list({ prefix, pageSize: 10, pageToken: token });
      expect(page).toMatchObject({ revision: first.revision, totalSize: 25n });
      keys.push(...page.kvs.map(({ key }) => key));
      token = page.nextPageToken;
    }
    expect(keys).toEqual(names);
  });

  it('lists a range, in both directions, keys only, and counts', async () => {
    const kv = connect();
    const prefix = prefixOf();
    await kv.batchPut({ entries: ['a', 'b', 'c', 'd'].map((name) => ({ key: prefix + name, value: name })) });
    const range = { start: `${prefix}b`, end: `${prefix}d` };
    expect((await kv.list(range)).kvs.map(({ value }) => value)).toEqual(['b', 'c']);

    const down = await kv.list({ prefix, order: Order.DESCENDING, pageSize: 3 });
    expect(down.kvs.map(({ value }) => value)).toEqual(['d', 'c', 'b']);
    const rest = await kv.list({
      prefix,
      order: Order.DESCENDING,
      pageSize: 3,
      pageToken: down.nextPageToken,
    });
    expect(rest).toMatchObject({ nextPageToken: '', kvs: [{ value: 'a' }] });

    const keysOnly = await kv.list({ prefix, view: View.KEYS_ONLY });
    expect(keysOnly.kvs.map(({ value }) => value)).toEqual(['', '', '', '']);
    expect(await kv.list({ prefix, view: View.COUNT_ONLY })).toMatchObject({ totalSize: 4n, kvs: [] });
  });

  it('refuses a page token of another listing, and a damaged one', async () => {
    const kv = connect();
    const prefix = prefixOf();
    await kv.batchPut({ entries: ['a', 'b'].map((name) => ({ key: prefix + name })) });
    const { nextPageToken } = await kv.list({ prefix, pageSize: 1 });
    expect(nextPageToken).not.toBe('');
    const damaged = nextPageToken.slice(0, -2) + (nextPageToken.endsWith('A') ? 'BB' : 'AA');
    for (const request of [
      { prefix: `${prefix}b`, pageToken: nextPageToken },
      { prefix, pageToken: damaged },
      { prefix, pageToken: 'nonsense' },
    ]) {
      expect(await failureOf(kv.list(request))).toMatchObject({
        code: 'InvalidArgument',
        reason: 'PAGE_TOKEN_INVALID',
      });
    }
    expect(await failureOf(kv.listChildren({ parent: prefix, pageToken: nextPageToken }))).toMatchObject({
      reason: 'PAGE_TOKEN_INVALID',
    });
  });

  it('lists names under a parent as a directory', async () => {
    const kv = connect();
    const prefix = prefixOf();
    const keys = ['a', 'a-b', 'a/x', 'a/y/z', 'b/deep/er', 'c', 'd//e'];
    await kv.batchPut({ entries: keys.map((key) => ({ key: prefix + key })) });
    const { children, nextPageToken } = await kv.listChildren({ parent: prefix });
    expect(nextPageToken).toBe('');
    expect(children.map(({ name, isKey, hasChildren }) => [name, isKey, hasChildren])).toEqual([
      ['a', true, true],
      ['a-b', true, false],
      ['b', false, true],
      ['c', true, false],
      ['d', false, true],
    ]);
    const below = await kv.listChildren({ parent: `${prefix}d` });
    expect(below.children).toMatchObject([{ name: '', isKey: false, hasChildren: true }]);
  });

  it('compares the revision before it writes', async () => {
    const kv = connect();
    const key = `${prefixOf()}cas`;
    const created = await kv.put({ key, value: '1', expectedRevision: 0n });
    expect(await failureOf(kv.put({ key, value: '2', expectedRevision: 0n }))).toMatchObject({
      code: 'Aborted',
      reason: 'REVISION_MISMATCH',
      metadata: { key, expected_revision: '0', actual_revision: String(created.revision) },
    });
    const updated = await kv.put({
      key,
      value: '3',
      expectedRevision: created.revision,
      returnPrevious: true,
    });
    expect(updated.previous).toMatchObject({ value: '1', modRevision: created.revision });
    expect(await failureOf(kv.delete({ key, expectedRevision: created.revision }))).toMatchObject({
      reason: 'REVISION_MISMATCH',
    });
    expect(await kv.delete({ key, expectedRevision: updated.revision, returnPrevious: true })).toMatchObject({
      deleted: true,
      previous: { value: '3' },
    });
    expect(await kv.delete({ key })).toMatchObject({ deleted: false });
  });

  it('attaches a key to a lease of its own', async () => {
    const kv = connect();
    const key = `${prefixOf()}leased`;
    const { leaseId } = await kv.put({ key, value: 'brief', ttl: { seconds: 60n, nanos: 0 } });
    expect(leaseId).toBeGreaterThan(0n);
    expect(leaseId).toBeLessThan(2n ** 53n);
    expect((await kv.get({ key })).kv?.leaseId).toBe(leaseId);
    expect((await kv.put({ key: `${key}2`, leaseId })).leaseId).toBe(leaseId);
    expect(await failureOf(kv.put({ key, leaseId: 123_456_789n }))).toMatchObject({
      code: 'NotFound',
      reason: 'LEASE_NOT_FOUND',
      metadata: { lease_id: '123456789' },
    });
  });

  it('writes a batch all or nothing', async () => {
    const kv = connect();
    const prefix = prefixOf();
    const existing = await kv.put({ key: `${prefix}b` });
    expect(
      await failureOf(
        kv.batchPut({ entries: [{ key: `${prefix}a` }, { key: `${prefix}b`, expectedRevision: 0n }] }),
      ),
    ).toMatchObject({
      reason: 'REVISION_MISMATCH',
      metadata: { key: `${prefix}b`, actual_revision: String(existing.revision) },
    });
    expect(await kv.list({ prefix, view: View.COUNT_ONLY })).toMatchObject({ totalSize: 1n });
    expect(
      await failureOf(kv.batchPut({ entries: [{ key: `${prefix}a` }, { key: `${prefix}a`, value: '2' }] })),
    ).toMatchObject({ code: 'InvalidArgument', reason: 'KEY_DUPLICATE', metadata: { key: `${prefix}a` } });
    const entries = Array.from({ length: 129 }, (_, i) => ({ key: prefix + i }));
    expect(await failureOf(kv.batchPut({ entries }))).toMatchObject({
      reason: 'FIELD_INVALID',
      metadata: { field: 'entries', rule: 'repeated.max_items' },
      message: expect.stringContaining('128'),
    });
    const leased = await kv.batchPut({ entries: entries.slice(0, 128), ttl: { seconds: 60n } });
    expect((await kv.get({ key: `${prefix}127` })).kv).toMatchObject({
      leaseId: leased.leaseId,
      modRevision: leased.revision,
    });
  });

  it('deletes a range, and everything only when told so', async () => {
    const kv = connect();
    const prefix = prefixOf();
    const { revision } = await kv.batchPut({
      entries: ['a', 'b', 'c'].map((name) => ({ key: prefix + name })),
    });
    for (const request of [{}, { start: prefix }, { all: true, prefix }]) {
      expect(await failureOf(kv.deleteRange(request))).toMatchObject({ reason: 'FIELD_INVALID' });
    }
    expect(await kv.deleteRange({ start: `${prefix}b`, end: `${prefix}c` })).toMatchObject({
      deletedCount: 1n,
    });
    const late = await kv.put({ key: `${prefix}late` });
    expect(await failureOf(kv.deleteRange({ prefix, expectedRevision: revision }))).toMatchObject({
      code: 'Aborted',
      reason: 'REVISION_MISMATCH',
      metadata: { key: `${prefix}late`, actual_revision: String(late.revision) },
    });
    expect(await kv.deleteRange({ prefix, expectedRevision: late.revision })).toMatchObject({
      deletedCount: 3n,
    });
    expect(await kv.deleteRange({ prefix, expectedRevision: 0n })).toMatchObject({ deletedCount: 0n });
  });

  it('runs a transaction with every compare, every step and a nested one', async () => {
    const kv = connect();
    const prefix = prefixOf();
    const { revision } = await kv.put({ key: `${prefix}a`, value: 'm' });
    const step = (case_: 'get', key: string) => ({ operation: { case: case_, value: { key } } }) as const;
    const { succeeded, results } = await kv.txn({
      compares: [
        { key: `${prefix}a`, target: { case: 'value', value: 'm' } },
        { key: `${prefix}a`, comparison: Compare_Comparison.GREATER, target: { case: 'value', value: 'l' } },
        { key: `${prefix}a`, target: { case: 'version', value: 1n } },
        { key: `${prefix}a`, target: { case: 'createRevision', value: revision } },
        { key: `${prefix}a`, target: { case: 'modRevision', value: revision } },
        { key: `${prefix}a`, target: { case: 'leaseId', value: 0n } },
        {
          range: { prefix },
          comparison: Compare_Comparison.LESS,
          target: { case: 'modRevision', value: revision + 1n },
        },
      ],
      success: [
        { operation: { case: 'put', value: { key: `${prefix}b`, value: '1', returnPrevious: true } } },
        { operation: { case: 'get', value: { range: { prefix }, view: View.KEYS_ONLY } } },
        { operation: { case: 'delete', value: { key: `${prefix}a`, returnPrevious: true } } },
        {
          operation: {
            case: 'txn',
            value: {
              compares: [{ key: `${prefix}b`, target: { case: 'version', value: 0n } }],
              success: [step('get', `${prefix}b`)],
              failure: [],
            },
          },
        },
      ],
      failure: [],
    });
    expect(succeeded).toBe(true);
    expect(results.map(({ result }) => result.case)).toEqual(['put', 'get', 'delete', 'txn']);
    expect(results[1]?.result.value).toMatchObject({ totalSize: 2n });
    expect(results[2]?.result.value).toMatchObject({ deletedCount: 1n, previous: [{ value: 'm' }] });
    expect(results[3]?.result.value).toMatchObject({
      succeeded: true,
      results: [{ result: { value: { kvs: [{ value: '1' }] } } }],
    });
  });

  it('refuses a transaction that writes a key twice', async () => {
    const key = `${prefixOf()}twice`;
    const put = { operation: { case: 'put', value: { key } } } as const;
    expect(await failureOf(connect().txn({ success: [put, put] }))).toMatchObject({
      code: 'InvalidArgument',
      reason: 'KEY_DUPLICATE',
    });
  });

  it('lets a write through only while the token of its lock holds', async () => {
    const kv = connect();
    const lock = `a lock/${randomUUID()}`;
    const token = 4_711n;
    const holder = Buffer.from(lockHolderKey(lock, token)).toString();
    await kv.put({ key: holder });
    await expectFenced({ case: 'lock', value: lock }, token, holder);
  });

  it('lets a write through only while the term of its election lasts', async () => {
    const kv = connect();
    const election = randomUUID();
    const leader = Buffer.from(leaderKey(election)).toString();
    const { revision } = await kv.put({ key: leader, value: 'me' });
    await expectFenced({ case: 'election', value: election }, revision, leader);
  });

  async function expectFenced(
    holder: { readonly case: 'lock' | 'election'; readonly value: string },
    token: bigint,
    holderKey: string,
  ): Promise<void> {
    const kv = connect();
    const key = `${prefixOf()}fenced`;
    const fence = { holder, token };
    const stale = { holder, token: token + 1n };
    const lost = {
      code: 'FailedPrecondition',
      reason: 'FENCE_LOST',
      metadata: { [holder.case]: holder.value, token: String(token + 1n) },
    };

    await kv.put({ key, value: '1', fence });
    await kv.batchPut({ entries: [{ key, value: '2' }], fence });
    await kv.txn({ success: [{ operation: { case: 'put', value: { key, value: '3' } } }], fence });
    expect(await failureOf(kv.put({ key, fence: stale }))).toMatchObject(lost);
    expect(await failureOf(kv.batchPut({ entries: [{ key }], fence: stale }))).toMatchObject(lost);
    expect(await failureOf(kv.delete({ key, fence: stale }))).toMatchObject(lost);
    expect(await failureOf(kv.deleteRange({ prefix: key, fence: stale }))).toMatchObject(lost);
    expect(
      await failureOf(kv.txn({ success: [{ operation: { case: 'put', value: { key } } }], fence: stale })),
    ).toMatchObject(lost);
    expect((await kv.get({ key })).kv).toMatchObject({ value: '3', version: 3n });
    await kv.delete({ key: holderKey });
    expect(await failureOf(kv.put({ key, fence }))).toMatchObject({ reason: 'FENCE_LOST' });
  }

  it('names the field that breaks a rule', async () => {
    const kv = connect();
    const key = `${prefixOf()}invalid`;
    const cases = [
      [() => kv.get({}), ''],
      [() => kv.get({ key: 'x'.repeat(4_097) }), 'key'],
      [() => kv.put({ key, value: 'x'.repeat(1_048_577) }), 'value'],
      [() => kv.put({ key, value: 'text', valueBytes: Uint8Array.of(1) }), ''],
      [() => kv.put({ key, ttl: { seconds: -1n } }), 'ttl'],
      [() => kv.put({ key, ttl: { seconds: 0n } }), 'ttl'],
      [() => kv.put({ key, ttl: { seconds: 1n }, leaseId: 1n }), ''],
      [() => kv.put({ key, expectedRevision: -1n }), 'expected_revision'],
      [() => kv.put({ key, fence: { holder: { case: 'lock', value: 'l' } } }), 'fence.token'],
      [() => kv.list({ prefix: 'a', end: 'b' }), ''],
      [() => kv.list({ pageSize: 1_001 }), 'page_size'],
      [() => kv.batchGet({ keys: [''] }), 'keys[0]'],
      [() => kv.txn({ success: [{}] }), 'success[0].operation'],
    ] as const;
    for (const [call, field] of cases) {
      expect(await failureOf(call())).toMatchObject({
        code: 'InvalidArgument',
        reason: 'FIELD_INVALID',
        metadata: { field },
      });
    }
    expect(await failureOf(kv.get({ key }))).toMatchObject({ reason: 'KEY_NOT_FOUND' });
  });
});
