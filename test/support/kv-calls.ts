import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';

/** One unary call in protobuf's JSON, and what its answer has in it. */
export interface KvCall {
  /** Such as `Get`. */
  readonly rpc: string;
  readonly request: object;
  readonly answer: object;
}

/** A byte string that is no UTF-8, in base64. */
const NOT_TEXT = Buffer.of(0xff, 0x00, 0xfe).toString('base64');

/** Returns a call of every unary rpc of KvService, to be made in this order, on keys that no other test uses. */
export function kvCalls(): readonly KvCall[] {
  const prefix = `clients/${randomUUID()}/`;
  const keyBytes = Buffer.concat([Buffer.from(prefix), Buffer.of(0xff)]).toString('base64');
  const revision = expect.stringMatching(/^[1-9]\d*$/);
  const stored = { key: `${prefix}a`, value: 'välue', version: '1' };
  return [
    {
      rpc: 'Put',
      request: { key: `${prefix}a`, value: 'välue', expectedRevision: '0' },
      answer: { version: '1', revision },
    },
    {
      rpc: 'BatchPut',
      request: { entries: [{ key: `${prefix}b/c` }, { keyBytes, valueBytes: NOT_TEXT }] },
      answer: { revision },
    },
    { rpc: 'Get', request: { key: `${prefix}a` }, answer: { kv: stored } },
    { rpc: 'Get', request: { keyBytes }, answer: { kv: { keyBytes, valueBytes: NOT_TEXT } } },
    {
      rpc: 'BatchGet',
      request: { keys: [`${prefix}a`, `${prefix}x`] },
      answer: { kvs: [stored], missingKeys: [`${prefix}x`] },
    },
    {
      rpc: 'List',
      request: { prefix, view: 'VIEW_KEYS_ONLY', pageSize: 2 },
      answer: {
        kvs: [{ key: `${prefix}a` }, { key: `${prefix}b/c` }],
        totalSize: '3',
        nextPageToken: expect.stringMatching(/./),
      },
    },
    {
      rpc: 'ListChildren',
      request: { parent: prefix, pageSize: 2 },
      answer: {
        children: [
          { name: 'a', isKey: true },
          { name: 'b', hasChildren: true },
        ],
      },
    },
    {
      rpc: 'Txn',
      request: {
        compares: [{ key: `${prefix}a`, comparison: 'COMPARISON_EQUAL', value: 'välue' }],
        success: [
          { put: { key: `${prefix}a`, value: '2', returnPrevious: true } },
          { get: { range: { prefix: `${prefix}a` } } },
          { delete: { keyBytes } },
          {
            txn: {
              compares: [{ key: `${prefix}z`, version: '0' }],
              success: [{ get: { key: `${prefix}a` } }],
            },
          },
        ],
      },
      answer: {
        succeeded: true,
        results: [
          { put: { previous: stored } },
          { get: { kvs: [{ value: '2' }], totalSize: '1' } },
          { delete: { deletedCount: '1' } },
          { txn: { succeeded: true } },
        ],
      },
    },
    {
      rpc: 'Delete',
      request: { key: `${prefix}a`, returnPrevious: true },
      answer: { deleted: true, previous: { value: '2' } },
    },
    { rpc: 'DeleteRange', request: { prefix }, answer: { deletedCount: '1' } },
  ];
}
