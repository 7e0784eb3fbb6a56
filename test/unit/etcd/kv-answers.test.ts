import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KeyValue, OperationResult } from '../../../src/domain/store.ts';
import { decodeRange, decodeTxn } from '../../../src/etcd/wire/kv-answers.ts';
import { loadKvMethods } from './kv-messages.ts';

const methods = loadKvMethods();
const int64 = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.bigInt({ min: 0n, max: 300n }),
);
const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const kv: fc.Arbitrary<KeyValue> = fc.record({
  key: bytes,
  value: bytes,
  createRevision: int64,
  modRevision: int64,
  version: int64,
  leaseId: int64,
});
const read = fc.record({
  kind: fc.constant('read' as const),
  kvs: fc.array(kv, { maxLength: 3 }),
  count: int64,
  more: fc.boolean(),
  revision: int64,
});
const previous = fc.option(kv, { nil: undefined });
const { result } = fc.letrec<{ result: OperationResult }>((tie) => ({
  result: fc.oneof(
    { maxDepth: 3 },
    read,
    fc.record({ kind: fc.constant('put' as const), previous }),
    fc.record({ kind: fc.constant('delete' as const), deletedCount: int64, previous: fc.array(kv) }),
    txnOf(tie('result')),
  ),
}));

describe('decodeRange', () => {
  it('reads what protobufjs writes', () => {
    fc.assert(
      fc.property(read, (answer) => {
        expect(decodeRange(methods.range.responseSerialize(rangeMessage(answer)))).toEqual(answer);
      }),
    );
  });
});

describe('decodeTxn', () => {
  it('reads what protobufjs writes', () => {
    fc.assert(
      fc.property(txnOf(result), (answer) => {
        expect(decodeTxn(methods.txn.responseSerialize(txnMessage(answer)))).toEqual(answer);
      }),
    );
  });

  it('skips fields that it does not know, of every wire type', () => {
    const unknown = Buffer.from([
      0x78, 0x96, 0x01, 0x7a, 1, 9, 0x7d, 1, 2, 3, 4, 0x79, 1, 2, 3, 4, 5, 6, 7, 8,
    ]);
    const known = methods.txn.responseSerialize({ succeeded: true, header: { revision: '7' } });
    const answer = { kind: 'txn', succeeded: true, results: [], revision: 7n };
    expect(decodeTxn(Buffer.concat([unknown, known, unknown]))).toEqual(answer);
  });

  it('throws where bytes are missing', () => {
    fc.assert(
      fc.property(txnOf(result), fc.nat(), (answer, cut) => {
        const whole = methods.txn.responseSerialize(txnMessage(answer));
        fc.pre(answer.results.length > 0);
        const last = whole.subarray(0, whole.length - 1 - (cut % lastFieldLength(answer)));
        expect(() => decodeTxn(last)).toThrow();
      }),
    );
  });
});

function txnOf(results: fc.Arbitrary<OperationResult>) {
  return fc.record({
    kind: fc.constant('txn' as const),
    succeeded: fc.boolean(),
    results: fc.array(results, { maxLength: 3 }),
    revision: int64,
  });
}

/** How many bytes the last of its operations' answers has. */
function lastFieldLength({ results }: { readonly results: readonly OperationResult[] }): number {
  const message = { responses: results.slice(-1).map(operationMessage) };
  return methods.txn.responseSerialize(message).length - 1;
}

function rangeMessage({ kvs, count, more, revision }: OperationResult & { kind: 'read' } & Revision): object {
  return { header: headerOf(revision), kvs: kvs.map(kvMessage), more, count: String(count) };
}

function txnMessage({ succeeded, results, revision }: OperationResult & { kind: 'txn' } & Revision): object {
  return { header: headerOf(revision), succeeded, responses: results.map(operationMessage) };
}

interface Revision {
  readonly revision?: bigint;
}

function operationMessage(result: OperationResult): object {
  switch (result.kind) {
    case 'read':
      return { response_range: rangeMessage(result) };
    case 'put':
      return { response_put: { prev_kv: result.previous && kvMessage(result.previous) } };
    case 'delete': {
      const { deletedCount: deleted, previous } = result;
      return { response_delete_range: { deleted: String(deleted), prev_kvs: previous.map(kvMessage) } };
    }
    case 'txn':
      return { response_txn: txnMessage(result) };
  }
}

function headerOf(revision: bigint = 0n): object {
  return { cluster_id: String(2n ** 64n - 1n), member_id: '5', revision: String(revision), raft_term: '9' };
}

function kvMessage({ key, value, createRevision, modRevision, version, leaseId }: KeyValue): object {
  return {
    key,
    value,
    create_revision: String(createRevision),
    mod_revision: String(modRevision),
    version: String(version),
    lease: String(leaseId),
  };
}
