import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import {
  WatchRequestSchema,
  WatchResponse_Kind,
  WatchResponseSchema,
} from '../../../gen/concord/kv/v1/kv_service_pb.ts';
import type { WatchCall } from '../load/watch-call.ts';
import { type Entry, endOfPrefix } from './entries.ts';
import { bytesField, countFields, integerField, messageFields, textField } from './message-fields.ts';

/** A prefix to watch, and all that is written under it. */
export interface WatchedKeys {
  readonly prefix: string;
  readonly entries: readonly Entry[];
}

const { number: CONCORD_EVENTS } = WatchResponseSchema.field.events;

/** Concord's Watch of a prefix. */
export function concordWatch({ prefix, entries }: WatchedKeys): WatchCall {
  const expectPut = createPutCheck(entries);
  return {
    path: '/concord.kv.v1.KvService/Watch',
    request: toBinary(WatchRequestSchema, create(WatchRequestSchema, { prefix })),
    isRequestLast: true,
    checkFirst(message) {
      const { kind } = fromBinary(WatchResponseSchema, message);
      if (kind !== WatchResponse_Kind.CHECKPOINT) throw new Error(`the first message is of kind ${kind}`);
    },
    countEvents: (bytes, start, end) => countFields(bytes, start, end, CONCORD_EVENTS),
    readRevisions(message) {
      const { events } = fromBinary(WatchResponseSchema, message);
      return events.map(({ kv }) => expectPut(kv?.key, kv?.value, kv?.modRevision));
    },
  };
}

/** The fields, by their numbers in etcd's rpc.proto and kv.proto, that a watch needs. */
const FIELD = {
  createRequest: 1,
  key: 1,
  rangeEnd: 2,
  created: 3,
  events: 11,
  eventKv: 2,
  kvKey: 1,
  kvModRevision: 3,
  kvValue: 5,
} as const;

/** A stream of etcd's own with one watch of a prefix. */
export function etcdWatch({ prefix, entries }: WatchedKeys): WatchCall {
  const expectPut = createPutCheck(entries);
  const create = new BinaryWriter()
    .tag(FIELD.key, WireType.LengthDelimited)
    .string(prefix)
    .tag(FIELD.rangeEnd, WireType.LengthDelimited)
    .string(endOfPrefix(prefix))
    .finish();
  return {
    path: '/etcdserverpb.Watch/Watch',
    request: new BinaryWriter().tag(FIELD.createRequest, WireType.LengthDelimited).bytes(create).finish(),
    isRequestLast: false,
    checkFirst(message) {
      if (integerField(message, FIELD.created) !== 1n) throw new Error('etcd did not create the watch');
    },
    countEvents: (bytes, start, end) => countFields(bytes, start, end, FIELD.events),
    readRevisions(message) {
      return messageFields(message, FIELD.events).map((event) => {
        const kv = bytesField(event, FIELD.eventKv);
        const revision = integerField(kv, FIELD.kvModRevision);
        return expectPut(textField(kv, FIELD.kvKey), textField(kv, FIELD.kvValue), revision);
      });
    },
  };
}

function createPutCheck(entries: readonly Entry[]) {
  const values = new Map(entries.map(({ key, value }) => [key, value]));
  return (key: string | undefined, value: string | undefined, revision: bigint | undefined): bigint => {
    if (key !== undefined && revision !== undefined && value !== undefined && values.get(key) === value) {
      return revision;
    }
    throw new Error(`an event of ${key}, or with a value, that was not written`);
  };
}
