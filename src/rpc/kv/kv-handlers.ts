// KvService of concord.kv.v1: each handler is a parse, a call to the domain, and a mapping.

import type { Duration } from '@bufbuild/protobuf/wkt';
import type { ServiceImpl } from '@connectrpc/connect';
import {
  type BatchPutRequest_Entry,
  type KvService as KvServiceDescriptor,
  ListChildrenRequestSchema,
  ListRequestSchema,
  type PutRequest,
} from '../../../gen/concord/kv/v1/kv_service_pb.ts';
import { Order } from '../../../gen/concord/kv/v1/reading_pb.ts';
import { singleKey } from '../../domain/key-range.ts';
import type { KvService, PutEntry } from '../../domain/kv/kv-service.ts';
import { freshnessOf } from '../fields/freshness.ts';
import { toBytes, toText } from '../fields/text-or-bytes.ts';
import { wholeSecondsOf } from '../fields/times.ts';
import {
  DEFAULT_PAGE_SIZE,
  fenceOf,
  keyValueMessage,
  operationResultMessage,
  optionalKeyValue,
  rangeOf,
  txnOf,
  viewOf,
} from './kv-messages.ts';
import { cursorOf, pageBinding, readPageToken, writePageToken } from './page-token.ts';
import type { WatchHandler } from './watch-handler.ts';

const DEFAULT_DELIMITER = '/';
const NO_BYTES = new Uint8Array();

/** Creates the handlers on the domain's service. */
export function createKvHandlers(
  kv: KvService,
  watch: WatchHandler,
): ServiceImpl<typeof KvServiceDescriptor> {
  return {
    watch,

    async get(request, options) {
      const key = toBytes(request.key, request.keyBytes);
      const query = { revision: request.revision, ...freshnessOf(request) };
      const answer = await kv.get(key, query, options);
      return { revision: answer.revision, kv: keyValueMessage(answer.kv, request.encoding) };
    },

    async batchGet(request, options) {
      const keys = [...request.keys.map((key) => toBytes(key, NO_BYTES)), ...request.keysBytes];
      const query = { revision: request.revision, ...freshnessOf(request) };
      const { kvs, missingKeys, revision } = await kv.batchGet(keys, query, options);
      const missing = missingKeys.map((key) => toText(key, request.encoding) ?? key);
      return {
        revision,
        kvs: kvs.map((found) => keyValueMessage(found, request.encoding)),
        missingKeys: missing.filter((key) => typeof key === 'string'),
        missingKeysBytes: missing.filter((key) => typeof key !== 'string'),
      };
    },

    async list(request, options) {
      const binding = pageBinding(ListRequestSchema, request);
      const page = await kv.list(
        {
          range: rangeOf(request),
          view: viewOf(request.view),
          order: request.order === Order.DESCENDING ? 'descending' : 'ascending',
          pageSize: request.pageSize || DEFAULT_PAGE_SIZE,
          revision: request.revision,
          cursor: cursorOf(readPageToken(request.pageToken, binding)),
          ...freshnessOf(request),
        },
        options,
      );
      return {
        revision: page.revision,
        kvs: page.kvs.map((found) => keyValueMessage(found, request.encoding)),
        totalSize: page.totalSize,
        nextPageToken:
          page.next === undefined ? '' : writePageToken({ ...page.next, key: page.next.after }, binding),
      };
    },

    async listChildren(request, options) {
      const binding = pageBinding(ListChildrenRequestSchema, request);
      const position = readPageToken(request.pageToken, binding);
      const page = await kv.listChildren(
        {
          parent: toBytes(request.parent, request.parentBytes),
          delimiter: toBytes(request.delimiter || DEFAULT_DELIMITER, NO_BYTES),
          pageSize: request.pageSize || DEFAULT_PAGE_SIZE,
          revision: request.revision,
          cursor: position && { revision: position.revision, from: position.key },
          ...freshnessOf(request),
        },
        options,
      );
      const { next } = page;
      return {
        revision: page.revision,
        children: page.children.map(({ name, isKey, hasChildren }) => {
          const text = toText(name, request.encoding);
          return { ...(text === undefined ? { nameBytes: name } : { name: text }), isKey, hasChildren };
        }),
        nextPageToken:
          next === undefined
            ? ''
            : writePageToken({ revision: next.revision, totalSize: 0n, key: next.from }, binding),
      };
    },

    async put(request, options) {
      const context = {
        ttlSeconds: ttlSecondsOf(request.ttl),
        fence: fenceOf(request.fence),
        returnPrevious: request.returnPrevious,
      };
      const { previous, leaseId, version, revision } = await kv.put(entryOf(request), context, options);
      return { revision, leaseId, version, ...optionalKeyValue(previous, request.encoding) };
    },

    async batchPut(request, options) {
      const context = { ttlSeconds: ttlSecondsOf(request.ttl), fence: fenceOf(request.fence) };
      return kv.batchPut(request.entries.map(entryOf), context, options);
    },

    async delete(request, options) {
      const { deletedCount, previous, revision } = await kv.delete(
        singleKey(toBytes(request.key, request.keyBytes)),
        {
          expectedRevision: request.expectedRevision,
          fence: fenceOf(request.fence),
          returnPrevious: request.returnPrevious,
        },
        options,
      );
      return { revision, deleted: deletedCount > 0n, ...optionalKeyValue(previous[0], request.encoding) };
    },

    async deleteRange(request, options) {
      const context = {
        expectedRevision: request.expectedRevision,
        fence: fenceOf(request.fence),
        returnPrevious: false,
      };
      const { deletedCount, revision } = await kv.delete(rangeOf(request), context, options);
      return { revision, deletedCount };
    },

    async txn(request, options) {
      const { succeeded, results, revision } = await kv.txn(txnOf(request), fenceOf(request.fence), options);
      return {
        revision,
        succeeded,
        results: results.map((result) => operationResultMessage(result, request.encoding)),
      };
    },
  };
}

function entryOf(entry: PutRequest | BatchPutRequest_Entry): PutEntry {
  return {
    key: toBytes(entry.key, entry.keyBytes),
    value: toBytes(entry.value, entry.valueBytes),
    leaseId: entry.leaseId,
    expectedRevision: entry.expectedRevision,
  };
}

function ttlSecondsOf(ttl: Duration | undefined): bigint | undefined {
  return ttl && wholeSecondsOf(ttl);
}
