import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { Call } from '../load/call.ts';
import { type Entry, endOfPrefix, VALUE_BYTES } from './entries.ts';
import { expectAnswer, expectWritten, parseObject, readPath } from './expect-answer.ts';
import { bytesField, integerField, messageFields, textField } from './message-fields.ts';

/** The fields, by their numbers in etcd's rpc.proto and kv.proto, that the calls need; `key` is the same everywhere. */
const FIELD = {
  key: 1,
  rangeEnd: 2,
  serializable: 7,
  putValue: 2,
  header: 1,
  headerRevision: 3,
  rangeKvs: 2,
  kvValue: 5,
  txnSuccess: 2,
  operationPut: 2,
  txnSucceeded: 2,
  txnResponses: 3,
} as const;

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

/** Keys that a Range asks for. */
export interface PrefixQuery {
  readonly prefix: string;
  /** How many keys there are. */
  readonly count: number;
}

/** Serializable Range of one key over gRPC. */
export function etcdSerializableRange(entries: readonly Entry[]): Call {
  return {
    ...etcdRange(entries),
    isAnyKeyLikeAll: true,
    requests: entries.map(({ key }) =>
      new BinaryWriter()
        .tag(FIELD.key, WireType.LengthDelimited)
        .string(key)
        .tag(FIELD.serializable, WireType.Varint)
        .bool(true)
        .finish(),
    ),
  };
}

/** Serializable Range of a prefix over gRPC. */
export function etcdPrefixRange(queries: readonly PrefixQuery[], minAnswerBytes: number): Call {
  return {
    protocol: 'grpc',
    path: '/etcdserverpb.KV/Range',
    requests: queries.map(({ prefix }) =>
      new BinaryWriter()
        .tag(FIELD.key, WireType.LengthDelimited)
        .string(prefix)
        .tag(FIELD.rangeEnd, WireType.LengthDelimited)
        .string(endOfPrefix(prefix))
        .tag(FIELD.serializable, WireType.Varint)
        .bool(true)
        .finish(),
    ),
    isAnyKeyLikeAll: true,
    minAnswerBytes,
    check(answer, index) {
      const query = queries[index];
      const { length: count } = messageFields(answer, FIELD.rangeKvs);
      if (count !== query?.count) throw new Error(`asked for ${query?.prefix} and got ${count} keys`);
    },
  };
}

/** Puts of all entries of a batch in one transaction over gRPC. */
export function etcdTxn(batches: readonly (readonly Entry[])[]): Call {
  return {
    protocol: 'grpc',
    path: '/etcdserverpb.KV/Txn',
    requests: batches.map((entries) => {
      const txn = new BinaryWriter();
      for (const entry of entries)
        txn
          .tag(FIELD.txnSuccess, WireType.LengthDelimited)
          .fork()
          .tag(FIELD.operationPut, WireType.LengthDelimited)
          .bytes(putRequest(entry))
          .join();
      return txn.finish();
    }),
    minAnswerBytes: 1,
    check(answer, index) {
      const { length: puts } = messageFields(answer, FIELD.txnResponses);
      if (puts !== batches[index]?.length) throw new Error(`a transaction did ${puts} Puts`);
      if (integerField(answer, FIELD.txnSucceeded) !== 1n) throw new Error('the transaction did not succeed');
      expectWritten(integerField(bytesField(answer, FIELD.header), FIELD.headerRevision));
    },
  };
}

/** Put over gRPC; etcd and its grpc-proxy take it. */
export function etcdPut(entries: readonly Entry[]): Call {
  return {
    protocol: 'grpc',
    path: '/etcdserverpb.KV/Put',
    requests: entries.map(putRequest),
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

function putRequest({ key, value }: Entry): Uint8Array {
  return new BinaryWriter()
    .tag(FIELD.key, WireType.LengthDelimited)
    .string(key)
    .tag(FIELD.putValue, WireType.LengthDelimited)
    .string(value)
    .finish();
}

/** As etcd's JSON gateway writes bytes. */
export function toBase64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function fromBase64(text: unknown): string | undefined {
  return typeof text === 'string' ? Buffer.from(text, 'base64').toString() : undefined;
}
