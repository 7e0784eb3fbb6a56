import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { Call } from '../load/call.ts';
import { type Entry, VALUE_BYTES } from './entries.ts';
import { expectAnswer, expectWritten, parseObject, readPath } from './expect-answer.ts';
import { bytesField, integerField, textField } from './message-fields.ts';

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
      expectWritten(integerField(bytesField(answer, FIELD.header), FIELD.headerRevision));
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
