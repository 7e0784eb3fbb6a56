import { randomUUID } from 'node:crypto';
import { type Client, createClient } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KvService } from '../../../gen/concord/kv/v1/kv_service_pb.ts';
import { Compare_Comparison } from '../../../gen/concord/kv/v1/txn_pb.ts';
import { failureOf } from '../../support/failure-of.ts';
import { PROTOCOLS } from '../../support/protocols.ts';
import type { TestGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';

const GREATEST = 2n ** 63n - 1n;
const LEAST = -(2n ** 63n);

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

describe.each(PROTOCOLS.slice(0, 2))('the extremes of int64 over $name', ({ open }) => {
  const connect = (): Client<typeof KvService> => createClient(KvService, open(gateway.url));
  const newKey = () => `extremes/${randomUUID()}`;

  it('are revisions that the store has not reached', async () => {
    const kv = connect();
    const key = newKey();
    await kv.put({ key });
    for (const call of [
      () => kv.get({ key, revision: GREATEST }),
      () => kv.get({ key, minRevision: GREATEST }),
      () => kv.batchGet({ keys: [key], revision: GREATEST }),
      () => kv.list({ prefix: key, revision: GREATEST }),
      () => kv.listChildren({ parent: key, minRevision: GREATEST }),
    ]) {
      expect(await failureOf(call())).toMatchObject({ code: 'OutOfRange', reason: 'REVISION_IN_FUTURE' });
    }
  });

  it('are revisions that no key was changed at', async () => {
    const kv = connect();
    const key = newKey();
    const { revision } = await kv.put({ key });
    for (const call of [
      () => kv.put({ key, expectedRevision: GREATEST }),
      () => kv.delete({ key, expectedRevision: GREATEST }),
      () => kv.batchPut({ entries: [{ key, expectedRevision: GREATEST }] }),
    ]) {
      expect(await failureOf(call())).toMatchObject({
        reason: 'REVISION_MISMATCH',
        metadata: { expected_revision: String(GREATEST), actual_revision: String(revision) },
      });
    }
  });

  it('let a range be deleted that was not changed after the greatest', async () => {
    const kv = connect();
    const key = newKey();
    await kv.put({ key });
    expect(await kv.deleteRange({ prefix: key, expectedRevision: GREATEST })).toMatchObject({
      deletedCount: 1n,
    });
    expect(await failureOf(kv.get({ key }))).toMatchObject({ reason: 'KEY_NOT_FOUND' });
  });

  it('are leases that do not exist', async () => {
    const kv = connect();
    for (const leaseId of [GREATEST, LEAST, -1n]) {
      for (const call of [
        () => kv.put({ key: newKey(), leaseId }),
        () => kv.batchPut({ entries: [{ key: newKey(), leaseId }] }),
      ]) {
        expect(await failureOf(call())).toMatchObject({ code: 'NotFound', reason: 'LEASE_NOT_FOUND' });
      }
    }
  });

  it('are compared as the numbers they are', async () => {
    const kv = connect();
    const key = newKey();
    await kv.put({ key });
    const succeeded = async (
      comparison: Compare_Comparison,
      case_: 'modRevision' | 'leaseId',
      value: bigint,
    ) => (await kv.txn({ compares: [{ key, comparison, target: { case: case_, value } }] })).succeeded;
    expect(await succeeded(Compare_Comparison.LESS, 'modRevision', GREATEST)).toBe(true);
    expect(await succeeded(Compare_Comparison.GREATER, 'modRevision', GREATEST)).toBe(false);
    expect(await succeeded(Compare_Comparison.GREATER, 'leaseId', LEAST)).toBe(true);
    expect(await succeeded(Compare_Comparison.EQUAL, 'leaseId', LEAST)).toBe(false);
  });

  it('are a fencing token that nobody holds', async () => {
    const fence = { holder: { case: 'lock', value: 'extremes' }, token: GREATEST } as const;
    expect(await failureOf(connect().put({ key: newKey(), fence }))).toMatchObject({ reason: 'FENCE_LOST' });
  });
});
