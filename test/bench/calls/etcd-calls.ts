import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { Call } from '../load/call.ts';
import { type Entry, VALUE_BYTES } from './entries.ts';
import { expectAnswer, expectWritten, parseObject, readPath } from './expect-answer.ts';

/** The fields, by their numbers in etcd's rpc.proto and kv.proto, that the calls need; `key` is the same everywhere. */
const FIELD = { key: 1, putValue: 2, header: 1, headerRevision: 3, rangeKvs: 2, kvValue: 5 } as const;

/** Range of one key over gRPC, linearizable as by default; etcd and its grpc-proxy take it. */
export function etcdRange(entries: readonly Entry[]): Call {
  return {
    protocol: 'grpc',
    path: '/etcdserverpb.KV/Range',
    requests: entries.map(({ key }) =>
      new BinaryWriter().tag(FIELD.key, WireType.LengthDelimited).string(key).finish(),
    ),
    minAnswerBytes: VALUE_BYTES,
    check(answer, index) {
      const kv = bytesField(answer, FIELD.rangeKvs);
      expectAnswer(entries[index], textField(kv, FIELD.key), textField(kv, FIELD.kvValue));
    },
  };
}

/** Put over gRPC; etcd and its grpc-proxy take it. */
export function etcdPut(entries: readonly Entry[]): Call {
  return {
    protocol: 'grpc',
    path: '/etcdserverpb.KV/Put',
    requests: entries.map(({ key, value }) =>
      new BinaryWriter()
        .tag(FIELD.key, WireType.LengthDelimited)
        .string(key)
        .tag(FIELD.putValue, WireType.LengthDelimited)
        .string(value)
        .finish(),
    ),
    minAnswerBytes: 1,
    check(answer) {
      expectWritten(revisionField(bytesField(answer, FIELD.header)));
    },
  };
}

/** The same Range through etcd's JSON gateway. */
export function etcdRangeJson(entries: readonly Entry[]): Call {
  return {
    protocol: 'json',
    path: '/v3/kv/range',
    requests: entries.map(({ key }) => Buffer.from(JSON.stringify({ key: toBase64(key) }))),
    minAnswerBytes: VALUE_BYTES,
    check(answer, index) {
      const parsed = parseObject(answer);
      expectAnswer(
        entries[index],
        fromBase64(readPath(parsed, 'kvs', '0', 'key')),
        fromBase64(readPath(parsed, 'kvs', '0', 'value')),
      );
    },
  };
}

/** The same Put through etcd's JSON gateway. */
export function etcdPutJson(entries: readonly Entry[]): Call {
  return {
    protocol: 'json',
    path: '/v3/kv/put',
    requests: entries.map(({ key, value }) =>
      Buffer.from(JSON.stringify({ key: toBase64(key), value: toBase64(value) })),
    ),
    minAnswerBytes: 1,
    check(answer) {
      expectWritten(readPath(parseObject(answer), 'header', 'revision'));
    },
  };
}

/** As etcd's JSON gateway writes bytes. */
export function toBase64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function fromBase64(text: unknown): string | undefined {
  return typeof text === 'string' ? Buffer.from(text, 'base64').toString() : undefined;
}

function bytesField(message: Uint8Array, wanted: number): Uint8Array {
  return readField(message, wanted, (reader) => reader.bytes()) ?? new Uint8Array();
}

function textField(message: Uint8Array, wanted: number): string | undefined {
  return readField(message, wanted, (reader) => reader.string());
}

function revisionField(header: Uint8Array): bigint | undefined {
  const revision = readField(header, FIELD.headerRevision, (reader) => reader.int64());
  return revision === undefined ? undefined : BigInt(revision);
}

function readField<T>(message: Uint8Array, wanted: number, read: (reader: BinaryReader) => T): T | undefined {
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === wanted) return read(reader);
    reader.skip(wireType, field);
  }
  return undefined;
}
