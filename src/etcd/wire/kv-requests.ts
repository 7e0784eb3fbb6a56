// The domain's operations as bytes of etcd's requests. Field numbers are those of etcd's rpc.proto; fields come last first.

import type { KeyRange } from '../../domain/key-range.ts';
import type {
  Compare,
  DeleteOperation,
  Operation,
  PutOperation,
  ReadOperation,
  ReadOrder,
  Txn,
} from '../../domain/store.ts';
import { WireWriter } from './wire-writer.ts';

/** As `key` the first key there is, as `range_end` the end of all keys. */
const ZERO = Uint8Array.of(0);

/** What an operation takes besides its bytes, or more. */
const OPERATION_BYTES = 96;

/** `sort_order` and `sort_target`. */
const ORDERS: Readonly<Record<ReadOrder, readonly [number?, number?]>> = {
  ascending: [],
  descending: [2, 0],
  newest: [2, 3],
  eldest: [1, 2],
  youngest: [2, 2],
};

const COMPARISONS = { equal: 0, greater: 1, less: 2, notEqual: 3 } as const;

/** A target's number, and the field of what it is compared with. */
const TARGETS = {
  version: [0, 4],
  createRevision: [1, 5],
  modRevision: [2, 6],
  value: [3, 7],
  leaseId: [4, 8],
} as const;

/** Returns a `RangeRequest`. */
export function encodeRange(operation: ReadOperation): Buffer {
  const writer = new WireWriter(2 * OPERATION_BYTES);
  writeRange(writer, operation);
  return writer.finish();
}

/** Returns a `TxnRequest`. */
export function encodeTxn(txn: Txn): Buffer {
  const writer = new WireWriter(capacityOf(txn));
  writeTxn(writer, txn);
  return writer.finish();
}

function writeRange(
  writer: WireWriter,
  { range, view, order, limit, createdBefore, revision, serializable }: ReadOperation,
): void {
  const [sortOrder, sortTarget] = ORDERS[order ?? 'ascending'];
  writer.int64(13, createdBefore === undefined ? undefined : createdBefore - 1n);
  writer.bool(9, view === 'count');
  writer.bool(8, view === 'keys');
  writer.bool(7, serializable);
  writer.number(6, sortTarget);
  writer.number(5, sortOrder);
  writer.int64(4, revision || undefined);
  writer.number(3, limit);
  writer.bytes(2, endOf(range));
  writer.bytes(1, startOf(range));
}

function writePut(writer: WireWriter, { key, value, leaseId, returnPrevious }: PutOperation): void {
  writer.bool(4, returnPrevious);
  writer.int64(3, leaseId || undefined);
  writer.bytes(2, value);
  writer.bytes(1, key);
}

function writeDelete(writer: WireWriter, { range, returnPrevious }: DeleteOperation): void {
  writer.bool(3, returnPrevious);
  writer.bytes(2, endOf(range));
  writer.bytes(1, startOf(range));
}

function writeTxn(writer: WireWriter, { compares, success, failure }: Txn): void {
  for (const operation of failure.toReversed()) writer.message(3, () => writeOperation(writer, operation));
  for (const operation of success.toReversed()) writer.message(2, () => writeOperation(writer, operation));
  for (const compare of compares.toReversed()) writer.message(1, () => writeCompare(writer, compare));
}

function writeOperation(writer: WireWriter, operation: Operation): void {
  switch (operation.kind) {
    case 'read':
      writer.message(1, () => writeRange(writer, operation));
      return;
    case 'put':
      writer.message(2, () => writePut(writer, operation));
      return;
    case 'delete':
      writer.message(3, () => writeDelete(writer, operation));
      return;
    case 'txn':
      writer.message(4, () => writeTxn(writer, operation));
      return;
  }
}

/** What is compared with is written also where it is 0 or empty: without it etcd finds everything equal. */
function writeCompare(writer: WireWriter, { range, comparison, target }: Compare): void {
  const [number, field] = TARGETS[target.kind];
  writer.bytes(64, endOf(range));
  if (target.kind === 'value') writer.bytes(field, target.value);
  else writer.int64(field, target.number);
  writer.bytes(3, startOf(range));
  writer.number(2, number);
  writer.number(1, COMPARISONS[comparison]);
}

function startOf(range: KeyRange): Uint8Array {
  if (range.kind === 'key') return range.key;
  return range.start.length === 0 ? ZERO : range.start;
}

function endOf(range: KeyRange): Uint8Array | undefined {
  return range.kind === 'key' ? undefined : (range.end ?? ZERO);
}

function capacityOf({ compares, success, failure }: Txn): number {
  let bytes = OPERATION_BYTES * (compares.length + success.length + failure.length + 1);
  for (const operation of success) {
    if (operation.kind === 'put') bytes += operation.key.length + operation.value.length;
  }
  return bytes;
}
