import { randomUUID } from 'node:crypto';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type Client, createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KvService } from '../../../gen/concord/kv/v1/kv_service_pb.ts';
import { View } from '../../../gen/concord/kv/v1/reading_pb.ts';
import { type Operation, OperationSchema, TxnOperationSchema } from '../../../gen/concord/kv/v1/txn_pb.ts';
import { failureOf } from '../../support/failure-of.ts';
import type { TestGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';

let gateway: TestGateway;
let kv: Client<typeof KvService>;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
  kv = createClient(KvService, createGrpcTransport({ baseUrl: gateway.url }));
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

type Step = MessageInitShape<typeof OperationSchema>['operation'];

/** Returns the step inside so many transactions. */
function nested(step: Step, levels: number): Operation {
  const operation = create(OperationSchema, step === undefined ? {} : { operation: step });
  if (levels === 0) return operation;
  return nested({ case: 'txn', value: create(TxnOperationSchema, { success: [operation] }) }, levels - 1);
}

const BOTH = { key: 'nested', value: 'text', valueBytes: Uint8Array.of(1) };
const BROKEN: readonly (readonly [what: string, step: Step, field: string])[] = [
  ['does nothing', undefined, 'operation'],
  ['puts no key', { case: 'put', value: {} }, 'put'],
  ['puts text and bytes', { case: 'put', value: BOTH }, 'put'],
  ['puts a key that is too long', { case: 'put', value: { key: 'x'.repeat(4_097) } }, 'put.key'],
  ['gets no key', { case: 'get', value: {} }, 'get'],
  ['gets too many keys', { case: 'get', value: { range: {}, limit: 1_001 } }, 'get.limit'],
  ['deletes no key', { case: 'delete', value: {} }, 'delete'],
  ['deletes every key', { case: 'delete', value: { range: {} } }, 'delete.range'],
  ['deletes to the end of all keys', { case: 'delete', value: { range: { start: 'a' } } }, 'delete.range'],
];

describe.each([0, 1, 2, 10])('a step, %i transactions deep', (levels) => {
  it.each(BROKEN)('is refused where it %s', async (_, step, field) => {
    const key = `nested/${randomUUID()}`;
    await kv.put({ key });
    const before = await kv.list({ view: View.COUNT_ONLY });
    const path = `success[0]${'.txn.success[0]'.repeat(levels)}.${field}`;
    expect(await failureOf(kv.txn({ success: [nested(step, levels)] }))).toMatchObject({
      code: 'InvalidArgument',
      reason: 'FIELD_INVALID',
      metadata: { field: path },
    });
    expect(await kv.list({ view: View.COUNT_ONLY })).toMatchObject({
      revision: before.revision,
      totalSize: before.totalSize,
    });
  });

  it('runs where it is sound', async () => {
    const key = `nested/${randomUUID()}`;
    await kv.txn({ success: [nested({ case: 'put', value: { key, value: 'deep' } }, levels)] });
    expect((await kv.get({ key })).kv?.value).toBe('deep');
  });
});

describe('a compare of an inner transaction', () => {
  it.each([1, 2, 10])('is refused where it breaks a rule, %i deep', async (levels) => {
    const txn: Step = { case: 'txn', value: create(TxnOperationSchema, { compares: [{ key: 'a' }] }) };
    expect(await failureOf(kv.txn({ success: [nested(txn, levels - 1)] }))).toMatchObject({
      reason: 'FIELD_INVALID',
    });
  });
});
