import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  GetRequestSchema,
  GetResponseSchema,
  PublishResponseSchema,
  ResolveRequestSchema,
  ResolveResponseSchema,
  WatchRequestSchema,
  WatchResponse_Kind,
  WatchResponseSchema,
} from '../../../gen/concord/config/v1/config_service_pb.ts';
import { Consistency } from '../../../gen/concord/kv/v1/reading_pb.ts';
import type { Call } from '../load/call.ts';
import type { WatchCall } from '../load/watch-call.ts';
import { type ConfigLayer, PUBLISH_PATH, publishRequest } from './config-entries.ts';
import { VALUE_BYTES } from './entries.ts';
import { expectAnswer, expectWritten } from './expect-answer.ts';
import { countFields } from './message-fields.ts';

const SERIALIZABLE = Consistency.SERIALIZABLE;

/** Get of every item over gRPC, from memory; neighbours are of different applications. */
export function concordConfigGet(layers: readonly ConfigLayer[]): Call {
  const names = spread(layers);
  return {
    protocol: 'grpc',
    path: '/concord.config.v1.ConfigService/Get',
    requests: names.map(({ application, entry: { key } }) =>
      toBinary(GetRequestSchema, create(GetRequestSchema, { application, key, consistency: SERIALIZABLE })),
    ),
    isAnyKeyLikeAll: true,
    minAnswerBytes: VALUE_BYTES,
    check(answer, index) {
      const { item } = fromBinary(GetResponseSchema, answer);
      expectAnswer(names[index]?.entry, item?.key, item?.value);
    },
  };
}

/** The items of layers, in the order in which they are asked for. */
export function spread(layers: readonly ConfigLayer[]) {
  const most = Math.max(...layers.map(({ items }) => items.length));
  return Array.from({ length: most }, (_, i) =>
    layers.flatMap(({ application, items }) => {
      const entry = items[i];
      return entry === undefined ? [] : [{ application, entry }];
    }),
  ).flat();
}

/** What an application is in the end. */
export interface Resolution {
  readonly application: string;
  readonly profiles: readonly string[];
  readonly itemCount: number;
  readonly hiddenCount: number;
}

/** Resolve over gRPC, from memory. */
export function concordResolve(resolutions: readonly Resolution[]): Call {
  return {
    protocol: 'grpc',
    path: '/concord.config.v1.ConfigService/Resolve',
    requests: resolutions.map(({ application, profiles }) => {
      const request = { application, profiles: [...profiles], consistency: SERIALIZABLE };
      return toBinary(ResolveRequestSchema, create(ResolveRequestSchema, request));
    }),
    isAnyKeyLikeAll: true,
    minAnswerBytes: VALUE_BYTES,
    check(answer, index) {
      const { items } = fromBinary(ResolveResponseSchema, answer);
      const hiddenCount = items.reduce((sum, { hidden }) => sum + hidden.length, 0);
      const expected = resolutions[index];
      if (items.length === expected?.itemCount && hiddenCount === expected.hiddenCount) return;
      throw new Error(`${expected?.application} has ${items.length} items over ${hiddenCount}`);
    },
  };
}

/** Publish over gRPC; each layer is expected to change as a whole. */
export function concordPublish(layers: readonly ConfigLayer[]): Call {
  return {
    protocol: 'grpc',
    path: PUBLISH_PATH,
    requests: layers.map(publishRequest),
    minAnswerBytes: 1,
    check(answer, index) {
      const { revision, changes } = fromBinary(PublishResponseSchema, answer);
      expectWritten(revision);
      if (changes.length !== layers[index]?.items.length) throw new Error(`${changes.length} items changed`);
    },
  };
}

const { number: CHANGES } = WatchResponseSchema.field.changes;

/**
 * Watch of an application that is empty at first, and of which every Publish writes the same items. Its events count up: a message
 * has those of one Publish, which is the version of each.
 */
export function concordWatchConfig(application: string, isEffective: boolean): WatchCall {
  const request = { application, profiles: ['bench'], effective: isEffective, subscriber: 'bench' };
  return {
    path: '/concord.config.v1.ConfigService/Watch',
    request: toBinary(WatchRequestSchema, create(WatchRequestSchema, request)),
    isRequestLast: true,
    checkFirst(message) {
      const { kind } = fromBinary(WatchResponseSchema, message);
      if (kind !== WatchResponse_Kind.SYNCED) throw new Error(`the first message is of kind ${kind}`);
    },
    countEvents: (bytes, start, end) => countFields(bytes, start, end, CHANGES),
    readRevisions(message) {
      const { changes } = fromBinary(WatchResponseSchema, message);
      return changes.map(({ item }, i) => ((item?.version ?? 0n) - 1n) * BigInt(changes.length) + BigInt(i));
    },
  };
}
