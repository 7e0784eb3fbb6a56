// The domain's operations as etcd's messages, and back. Etcd3 gives and takes 64-bit integers as decimal strings.

import type {
  ICompare,
  IDeleteRangeRequest,
  IDeleteRangeResponse,
  IEvent,
  IKeyValue,
  IPutRequest,
  IPutResponse,
  IRangeRequest,
  IRangeResponse,
  IRequestOp,
  IResponseOp,
  ITxnRequest,
  ITxnResponse,
} from 'etcd3';
import type { KeyRange } from '../domain/key-range.ts';
import type {
  Compare,
  DeleteOperation,
  DeleteResult,
  KeyValue,
  Operation,
  OperationResult,
  PutOperation,
  PutResult,
  ReadOperation,
  ReadResult,
  StoreEvent,
  Txn,
  TxnResult,
} from '../domain/store.ts';

/** As `key` the first key there is, as `range_end` the end of all keys. */
const ZERO = Buffer.of(0);

/** Returns etcd's request for a read. */
export function rangeRequest({
  range,
  view,
  order,
  limit,
  createdBefore,
  revision,
  serializable,
}: ReadOperation): IRangeRequest {
  return {
    ...keysOf(range),
    ...(limit !== undefined && { limit }),
    ...(createdBefore !== undefined && { max_create_revision: String(createdBefore - 1n) }),
    ...(revision !== undefined && revision !== 0n && { revision: String(revision) }),
    ...(serializable && { serializable }),
    ...(view === 'keys' && { keys_only: true }),
    ...(view === 'count' && { count_only: true }),
    ...(order === 'descending' && { sort_order: 'Descend', sort_target: 'Key' }),
    ...(order === 'newest' && { sort_order: 'Descend', sort_target: 'Mod' }),
    ...(order === 'eldest' && { sort_order: 'Ascend', sort_target: 'Create' }),
    ...(order === 'youngest' && { sort_order: 'Descend', sort_target: 'Create' }),
  };
}

/** Returns etcd's request for a transaction. */
export function txnRequest({ compares, success, failure }: Txn): ITxnRequest {
  return {
    compare: compares.map(compareMessage),
    success: success.map(requestOp),
    failure: failure.map(requestOp),
  };
}

/** Returns what a read found. */
export function readResult({ kvs, count, more }: IRangeResponse): ReadResult {
  return { kind: 'read', kvs: kvs.map(keyValue), count: BigInt(count), more };
}

/** Returns what a transaction did. */
export function txnResult({ succeeded, responses }: ITxnResponse): TxnResult {
  return { kind: 'txn', succeeded, results: responses.map(operationResult) };
}

/** Returns a range as etcd's requests name it. */
export function keysOf(range: KeyRange): { key: Buffer; range_end?: Buffer } {
  if (range.kind === 'key') return { key: buffer(range.key) };
  return {
    key: range.start.length === 0 ? ZERO : buffer(range.start),
    range_end: range.end === undefined ? ZERO : buffer(range.end),
  };
}

function requestOp(operation: Operation): IRequestOp {
  switch (operation.kind) {
    case 'read':
      return { request_range: rangeRequest(operation) };
    case 'put':
      return { request_put: putRequest(operation) };
    case 'delete':
      return { request_delete_range: deleteRequest(operation) };
    case 'txn':
      return { request_txn: txnRequest(operation) };
  }
}

function putRequest({ key, value, leaseId, returnPrevious }: PutOperation): IPutRequest {
  return {
    key: buffer(key),
    value: buffer(value),
    ...(leaseId !== undefined && leaseId !== 0n && { lease: String(leaseId) }),
    ...(returnPrevious && { prev_kv: true }),
  };
}

function deleteRequest({ range, returnPrevious }: DeleteOperation): IDeleteRangeRequest {
  return { ...keysOf(range), ...(returnPrevious && { prev_kv: true }) };
}

const COMPARISONS = { equal: 'Equal', notEqual: 'NotEqual', less: 'Less', greater: 'Greater' } as const;

function compareMessage({ range, comparison, target }: Compare): ICompare & { range_end?: Buffer } {
  const base = { ...keysOf(range), result: COMPARISONS[comparison] };
  switch (target.kind) {
    case 'version':
      return { ...base, target: 'Version', version: String(target.number) };
    case 'createRevision':
      return { ...base, target: 'Create', create_revision: String(target.number) };
    case 'modRevision':
      return { ...base, target: 'Mod', mod_revision: String(target.number) };
    case 'leaseId':
      return { ...base, target: 'Lease', lease: String(target.number) };
    case 'value':
      return { ...base, target: 'Value', value: buffer(target.value) };
  }
}

function operationResult(response: IResponseOp): OperationResult {
  // Of the oneof's members exactly one is there; etcd3's types call all of them present.
  const { response_range, response_put, response_delete_range, response_txn } =
    response as Partial<IResponseOp>;
  if (response_range) return readResult(response_range);
  if (response_put) return putResult(response_put);
  if (response_delete_range) return deleteResult(response_delete_range);
  if (response_txn) return txnResult(response_txn);
  throw new Error('etcd answered an operation with nothing');
}

function putResult({ prev_kv }: IPutResponse): PutResult {
  return { kind: 'put', previous: prev_kv ? keyValue(prev_kv) : undefined };
}

function deleteResult({ deleted, prev_kvs }: IDeleteRangeResponse): DeleteResult {
  return { kind: 'delete', deletedCount: BigInt(deleted), previous: prev_kvs.map(keyValue) };
}

/** Returns what one event of a watch tells. */
export function storeEvent({ type, kv, prev_kv }: IEvent): StoreEvent {
  // A message that is not there is null, whatever etcd3's types say.
  const previous = prev_kv ? keyValue(prev_kv) : undefined;
  return type === 'Delete'
    ? { kind: 'delete', key: kv.key, revision: BigInt(kv.mod_revision), previous }
    : { kind: 'put', kv: keyValue(kv), previous };
}

function keyValue(kv: IKeyValue): KeyValue {
  return {
    key: kv.key,
    value: kv.value,
    createRevision: BigInt(kv.create_revision),
    modRevision: BigInt(kv.mod_revision),
    version: BigInt(kv.version),
    leaseId: BigInt(kv.lease),
  };
}

/** A view of the same bytes. */
function buffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
