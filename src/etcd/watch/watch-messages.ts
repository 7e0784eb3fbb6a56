// What watches ask of etcd and are told, as etcd3 has it. Etcd3 gives and takes 64-bit integers as decimal strings.

import type { IEvent, IKeyValue } from 'etcd3';
import type { KeyRange } from '../../domain/key-range.ts';
import type { KeyValue, StoreEvent } from '../../domain/store.ts';

/** As `key` the first key there is, as `range_end` the end of all keys. */
const ZERO = Buffer.of(0);

/** Returns a range as etcd's requests name it. */
export function keysOf(range: KeyRange): { key: Buffer; range_end?: Buffer } {
  if (range.kind === 'key') return { key: buffer(range.key) };
  return {
    key: range.start.length === 0 ? ZERO : buffer(range.start),
    range_end: range.end === undefined ? ZERO : buffer(range.end),
  };
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
