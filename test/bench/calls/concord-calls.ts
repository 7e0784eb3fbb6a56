import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  GetRequestSchema,
  GetResponseSchema,
  PutRequestSchema,
  PutResponseSchema,
} from '../../../gen/concord/kv/v1/kv_service_pb.ts';
import type { Call } from '../load/call.ts';
import { type Entry, VALUE_BYTES } from './entries.ts';
import { expectAnswer, expectWritten, parseObject, readPath } from './expect-answer.ts';

const GET_PATH = '/concord.kv.v1.KvService/Get';
const PUT_PATH = '/concord.kv.v1.KvService/Put';

/** Get over gRPC, linearizable as by default. */
export function concordGet(entries: readonly Entry[]): Call {
  return {
    protocol: 'grpc',
    path: GET_PATH,
    requests: entries.map(({ key }) => toBinary(GetRequestSchema, create(GetRequestSchema, { key }))),
    minAnswerBytes: VALUE_BYTES,
    check(answer, index) {
      const { kv } = fromBinary(GetResponseSchema, answer);
      expectAnswer(entries[index], kv?.key, kv?.value);
    },
  };
}

/** Put over gRPC. */
export function concordPut(entries: readonly Entry[]): Call {
  return {
    protocol: 'grpc',
    path: PUT_PATH,
    requests: entries.map((entry) => toBinary(PutRequestSchema, create(PutRequestSchema, entry))),
    minAnswerBytes: 1,
    check(answer) {
      expectWritten(fromBinary(PutResponseSchema, answer).revision);
    },
  };
}

/** Get as Connect JSON. */
export function concordGetJson(entries: readonly Entry[]): Call {
  return {
    protocol: 'json',
    path: GET_PATH,
    requests: entries.map(({ key }) => Buffer.from(JSON.stringify({ key }))),
    minAnswerBytes: VALUE_BYTES,
    check(answer, index) {
      const parsed = parseObject(answer);
      expectAnswer(entries[index], readPath(parsed, 'kv', 'key'), readPath(parsed, 'kv', 'value'));
    },
  };
}

/** Put as Connect JSON. */
export function concordPutJson(entries: readonly Entry[]): Call {
  return {
    protocol: 'json',
    path: PUT_PATH,
    requests: entries.map(({ key, value }) => Buffer.from(JSON.stringify({ key, value }))),
    minAnswerBytes: 1,
    check(answer) {
      expectWritten(readPath(parseObject(answer), 'revision'));
    },
  };
}
