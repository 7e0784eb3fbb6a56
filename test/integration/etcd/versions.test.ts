import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Consistency, Order, View } from '../../../gen/concord/kv/v1/reading_pb.ts';
import {
  type BuiltEtcd,
  buildNewestEtcd,
  LATEST_3_5,
  LATEST_3_6,
  NEWEST_VERSION,
} from '../../support/build-newest-etcd.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { findTestEtcd } from '../../support/find-test-etcd.ts';
import { type KvClient, openKvClient } from '../../support/kv-client.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';

const found = { kind: 'built', ...(await findTestEtcd()) } as const;
const versions = new Map<string, BuiltEtcd>([[found.version, found]]);
// One after another: each build takes all the processors there are.
for (const version of [NEWEST_VERSION, LATEST_3_6, LATEST_3_5]) {
  if (!versions.has(version)) versions.set(version, await buildNewestEtcd(version));
}

describe.each([...versions])('keys on etcd %s', (version, built) => {
  if (built.kind === 'missing') {
    it(`are not tested here: ${built.reason}`, () => expect(built.reason).not.toBe(''));
    return;
  }

  let etcd: TestEtcd;
  let gateway: TestGateway;
  let kv: KvClient;
  const prefixOf = () => `test/${randomUUID()}/`;

  beforeAll(async () => {
    etcd = await startEtcd({ binary: built.binary });
    gateway = await startGateway([etcd.endpoint]);
    kv = openKvClient(gateway.url);
  });

  afterAll(async () => {
    await gateway?.[Symbol.asyncDispose]();
    await etcd?.stop();
  });

  it('are served by the version asked for, which is told', async () => {
    expect(etcd.version).toBe(version);
    expect(await gateway.app.etcd.version({ signal: AbortSignal.timeout(30_000) })).toBe(version);
  });

  it('are written, read, compared and deleted', async () => {
    const key = `${prefixOf()}k`;
    const { revision } = await kv.put({ key, value: '1', expectedRevision: 0n });
    expect(
      (await kv.get({ key, consistency: Consistency.SERIALIZABLE, minRevision: revision })).kv?.value,
    ).toBe('1');
    expect(await failureOf(kv.put({ key, expectedRevision: 0n }))).toMatchObject({
      reason: 'REVISION_MISMATCH',
    });
    await kv.put({ key, value: '2', expectedRevision: revision });
    expect((await kv.get({ key, revision })).kv?.value).toBe('1');
    expect(await kv.delete({ key, returnPrevious: true })).toMatchObject({
      deleted: true,
      previous: { value: '2' },
    });
    expect(await failureOf(kv.get({ key }))).toMatchObject({ reason: 'KEY_NOT_FOUND' });
  });

  it('are listed page by page at one revision, in both directions', async () => {
    const prefix = prefixOf();
    const entries = Array.from({ length: 25 }, (_, i) => ({ key: prefix + String(i).padStart(2, '0') }));
    await kv.batchPut({ entries });
    const keys: string[] = [];
    let pageToken = '';
    do {
      const page = await kv.list({ prefix, pageSize: 10, pageToken, order: Order.DESCENDING });
      if (pageToken === '') await kv.deleteRange({ prefix });
      keys.push(...page.kvs.map(({ key }) => key));
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    expect(keys).toEqual(entries.map(({ key }) => key).reverse());
    expect(await kv.list({ prefix, view: View.COUNT_ONLY })).toMatchObject({ totalSize: 0n });
  });

  it('are changed together or not at all', async () => {
    const prefix = prefixOf();
    const put = (name: string) => ({
      operation: { case: 'put' as const, value: { key: prefix + name, value: name } },
    });
    const isNew = { key: `${prefix}a`, target: { case: 'version' as const, value: 0n } };
    const nested = { operation: { case: 'txn' as const, value: { compares: [isNew], success: [put('c')] } } };
    const request = { compares: [isNew], success: [put('b'), put('a'), nested], failure: [put('d')] };
    expect(await kv.txn(request)).toMatchObject({ succeeded: true });
    expect(await kv.txn(request)).toMatchObject({ succeeded: false });
    expect((await kv.list({ prefix })).kvs.map(({ value }) => value)).toEqual(['a', 'b', 'c', 'd']);
    expect(await failureOf(kv.txn({ success: [put('a'), put('a')] }))).toMatchObject({
      reason: 'KEY_DUPLICATE',
    });
  });

  it('go away with their lease', async () => {
    const key = `${prefixOf()}leased`;
    const { leaseId } = await kv.put({ key, value: 'brief', ttl: { seconds: 1n } });
    expect((await kv.get({ key })).kv?.leaseId).toBe(leaseId);
    await eventually(async () =>
      expect(await failureOf(kv.get({ key }))).toMatchObject({ reason: 'KEY_NOT_FOUND' }),
    );
    expect(await failureOf(kv.put({ key, leaseId }))).toMatchObject({ reason: 'LEASE_NOT_FOUND' });
  });
});
