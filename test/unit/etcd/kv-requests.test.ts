import { describe, expect, it } from 'vitest';
import { prefixRange, singleKey } from '../../../src/domain/key-range.ts';
import type { Compare, Operation, ReadOperation, Txn } from '../../../src/domain/store.ts';
import { encodeRange, encodeTxn } from '../../../src/etcd/wire/kv-requests.ts';
import { loadKvMethods } from './kv-messages.ts';

const methods = loadKvMethods();
const key = Buffer.from('key');
const range = singleKey(key);

describe('encodeRange', () => {
  const cases: readonly (readonly [string, Omit<ReadOperation, 'kind'>, object])[] = [
    ['one key', { range, revision: 0n, serializable: false }, { key }],
    ['a key that is not text', { range: singleKey(Buffer.of(0xff, 0)) }, { key: Buffer.of(0xff, 0) }],
    ['a prefix', { range: prefixRange(key) }, { key, range_end: Buffer.from('kez') }],
    ['every key', { range: prefixRange(Buffer.of()) }, { key: Buffer.of(0), range_end: Buffer.of(0) }],
    ['a revision', { range, revision: 2n ** 62n + 3n }, { key, revision: String(2n ** 62n + 3n) }],
    ['any member', { range, serializable: true }, { key, serializable: true }],
    ['names only', { range, view: 'keys' }, { key, keys_only: true }],
    ['a count', { range, view: 'count' }, { key, count_only: true }],
    ['a limit', { range, limit: 1_000 }, { key, limit: '1000' }],
    ['what was there before', { range, createdBefore: 300n }, { key, max_create_revision: '299' }],
    ['key order', { range, order: 'ascending' }, { key }],
    ['falling order', { range, order: 'descending' }, { key, sort_order: 'Descend', sort_target: 'Key' }],
    ['the newest', { range, order: 'newest' }, { key, sort_order: 'Descend', sort_target: 'Mod' }],
    ['the eldest', { range, order: 'eldest' }, { key, sort_order: 'Ascend', sort_target: 'Create' }],
    ['the youngest', { range, order: 'youngest' }, { key, sort_order: 'Descend', sort_target: 'Create' }],
  ];

  it.each(cases)('asks for %s', (_, read, expected) => {
    const request = methods.range.requestDeserialize(encodeRange({ kind: 'read', ...read }));
    expect(request).toEqual(expected);
  });
});

describe('encodeTxn', () => {
  it.each<[Operation, object]>([
    [
      { kind: 'put', key, value: Buffer.from('v'), leaseId: -5n, returnPrevious: true },
      { request_put: { key, value: Buffer.from('v'), lease: '-5', prev_kv: true } },
    ],
    [
      { kind: 'put', key, value: new Uint8Array(), leaseId: 0n },
      { request_put: { key, value: Buffer.of() } },
    ],
    [{ kind: 'delete', range }, { request_delete_range: { key } }],
    [
      { kind: 'delete', range: prefixRange(key), returnPrevious: true },
      { request_delete_range: { key, range_end: Buffer.from('kez'), prev_kv: true } },
    ],
    [{ kind: 'read', range, view: 'keys' }, { request_range: { key, keys_only: true } }],
    [
      { kind: 'txn', compares: [], success: [{ kind: 'read', range }], failure: [] },
      { request_txn: { success: [{ request_range: { key } }] } },
    ],
  ])('takes each kind of operation: %o', (operation, expected) => {
    expect(decoded({ success: [operation] })).toEqual({ success: [expected] });
    expect(decoded({ failure: [operation] })).toEqual({ failure: [expected] });
  });

  it.each<[Omit<Compare, 'range'>, object]>([
    [
      { comparison: 'equal', target: { kind: 'version', number: 1n } },
      { target: 'Version', version: '1' },
    ],
    [
      { comparison: 'notEqual', target: { kind: 'createRevision', number: 0n } },
      { result: 'NotEqual', target: 'Create', create_revision: '0' },
    ],
    [
      { comparison: 'less', target: { kind: 'modRevision', number: 2n ** 63n - 1n } },
      { result: 'Less', target: 'Mod', mod_revision: String(2n ** 63n - 1n) },
    ],
    [
      { comparison: 'greater', target: { kind: 'value', value: new Uint8Array() } },
      { result: 'Greater', target: 'Value', value: Buffer.of() },
    ],
    [
      { comparison: 'equal', target: { kind: 'leaseId', number: 7n } },
      { target: 'Lease', lease: '7' },
    ],
  ])('takes each kind of compare, also with nothing: %o', (compare, expected) => {
    const named = { result: 'Equal', ...expected };
    expect(decoded({ compares: [{ range, ...compare }] })).toEqual({ compare: [{ key, ...named }] });
    expect(decoded({ compares: [{ range: prefixRange(key), ...compare }] })).toEqual({
      compare: [{ key, range_end: Buffer.from('kez'), ...named }],
    });
  });

  it('keeps the order of operations, however large they are', () => {
    const sizes = [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152];
    const success = sizes.map((size) => ({ kind: 'put', key, value: Buffer.alloc(size, 'x') }) as const);
    const nested: Txn = { kind: 'txn', compares: [], success, failure: [] };
    const puts = success.map(({ value }) => ({ request_put: { key, value } }));
    expect(decoded({ success, failure: [nested] })).toEqual({
      success: puts,
      failure: [{ request_txn: { success: puts } }],
    });
  });
});

function decoded(txn: Partial<Txn>): object {
  return methods.txn.requestDeserialize(
    encodeTxn({ kind: 'txn', compares: [], success: [], failure: [], ...txn }),
  );
}
