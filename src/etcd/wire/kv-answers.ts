// What the bytes of etcd's answers say. Field numbers are those of etcd's rpc.proto and kv.proto.

import type {
  AtRevision,
  DeleteResult,
  KeyValue,
  OperationResult,
  PutResult,
  ReadResult,
  TxnResult,
} from '../../domain/store.ts';
import { WireReader } from './wire-reader.ts';

const NO_BYTES = new Uint8Array();

/** Returns what a `RangeResponse` says. Throws where the bytes are none. */
export function decodeRange(bytes: Buffer): AtRevision<ReadResult> {
  return readRange(new WireReader(bytes));
}

/** Returns what a `TxnResponse` says. Throws where the bytes are none. */
export function decodeTxn(bytes: Buffer): AtRevision<TxnResult> {
  return readTxn(new WireReader(bytes));
}

function readRange(reader: WireReader): AtRevision<ReadResult> {
  const kvs: KeyValue[] = [];
  let revision = 0n;
  let count = 0n;
  let more = false;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) revision = readHeader(reader.message());
    else if (field === 2) kvs.push(readKeyValue(reader.message()));
    else if (field === 3) more = reader.number() !== 0;
    else if (field === 4) count = reader.int64();
    else reader.skip();
  }
  return { kind: 'read', kvs, count, more, revision };
}

function readPut(reader: WireReader): PutResult {
  let previous: KeyValue | undefined;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 2) previous = readKeyValue(reader.message());
    else reader.skip();
  }
  return { kind: 'put', previous };
}

function readDelete(reader: WireReader): DeleteResult {
  const previous: KeyValue[] = [];
  let deletedCount = 0n;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 2) deletedCount = reader.int64();
    else if (field === 3) previous.push(readKeyValue(reader.message()));
    else reader.skip();
  }
  return { kind: 'delete', deletedCount, previous };
}

function readTxn(reader: WireReader): AtRevision<TxnResult> {
  const results: OperationResult[] = [];
  let revision = 0n;
  let succeeded = false;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) revision = readHeader(reader.message());
    else if (field === 2) succeeded = reader.number() !== 0;
    else if (field === 3) results.push(readResult(reader.message()));
    else reader.skip();
  }
  return { kind: 'txn', succeeded, results, revision };
}

function readResult(reader: WireReader): OperationResult {
  switch (reader.next()) {
    case 1:
      return readRange(reader.message());
    case 2:
      return readPut(reader.message());
    case 3:
      return readDelete(reader.message());
    case 4:
      return readTxn(reader.message());
    default:
      throw new Error('etcd answered an operation with nothing');
  }
}

/** Returns the revision. */
function readHeader(reader: WireReader): bigint {
  let revision = 0n;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 3) revision = reader.int64();
    else reader.skip();
  }
  return revision;
}

function readKeyValue(reader: WireReader): KeyValue {
  let key: Uint8Array = NO_BYTES;
  let value: Uint8Array = NO_BYTES;
  let createRevision = 0n;
  let modRevision = 0n;
  let version = 0n;
  let leaseId = 0n;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) key = reader.bytes();
    else if (field === 2) createRevision = reader.int64();
    else if (field === 3) modRevision = reader.int64();
    else if (field === 4) version = reader.int64();
    else if (field === 5) value = reader.bytes();
    else if (field === 6) leaseId = reader.int64();
    else reader.skip();
  }
  return { key, value, createRevision, modRevision, version, leaseId };
}
