// The domain's keys, ranges and transactions as messages of concord.kv.v1, and back.

import { create, type MessageInitShape } from '@bufbuild/protobuf';
import type { Fence as FenceMessage } from '../../../gen/concord/kv/v1/fence_pb.ts';
import type { KeyRange as KeyRangeMessage } from '../../../gen/concord/kv/v1/key_range_pb.ts';
import { type KeyValue as KeyValueMessage, KeyValueSchema } from '../../../gen/concord/kv/v1/key_value_pb.ts';
import { type Encoding, View as ViewMessage } from '../../../gen/concord/kv/v1/reading_pb.ts';
import {
  Compare_Comparison,
  type Compare as CompareMessage,
  type Operation as OperationMessage,
  type OperationResultSchema,
  type TxnOperation,
} from '../../../gen/concord/kv/v1/txn_pb.ts';
import type { Fence } from '../../domain/fence.ts';
import { type KeyRange, prefixRange, singleKey } from '../../domain/key-range.ts';
import type { Compare, KeyValue, Operation, OperationResult, Txn, View } from '../../domain/store.ts';
import { toBytes, toText } from '../fields/text-or-bytes.ts';

/** How many keys a page, or a read in a transaction, has at most where the request does not say. */
export const DEFAULT_PAGE_SIZE = 100;

/** Returns the message for a key. */
export function keyValueMessage(kv: KeyValue, encoding: Encoding): KeyValueMessage {
  const message = create(KeyValueSchema);
  const key = toText(kv.key, encoding);
  const value = toText(kv.value, encoding);
  if (key === undefined) message.keyBytes = kv.key;
  else message.key = key;
  if (value === undefined) message.valueBytes = kv.value;
  else message.value = value;
  message.createRevision = kv.createRevision;
  message.modRevision = kv.modRevision;
  message.version = kv.version;
  message.leaseId = kv.leaseId;
  return message;
}

/** Returns the message for a key that may not be there. */
export function optionalKeyValue(
  kv: KeyValue | undefined,
  encoding: Encoding,
): { previous?: KeyValueMessage } {
  return kv === undefined ? {} : { previous: keyValueMessage(kv, encoding) };
}

/** Returns the range that the fields of a request name; with none set, every key. */
export function rangeOf(
  fields: Omit<KeyRangeMessage, '$typeName' | '$unknown'>,
): Extract<KeyRange, { kind: 'range' }> {
  const prefix = toBytes(fields.prefix, fields.prefixBytes);
  if (prefix.length > 0) {
    const range = prefixRange(prefix);
    if (range.kind === 'range') return range;
  }
  const end = toBytes(fields.end, fields.endBytes);
  return {
    kind: 'range',
    start: toBytes(fields.start, fields.startBytes),
    end: end.length === 0 ? undefined : end,
  };
}

/** Returns how much to read. */
export function viewOf(view: ViewMessage): View {
  switch (view) {
    case ViewMessage.KEYS_ONLY:
      return 'keys';
    case ViewMessage.COUNT_ONLY:
      return 'count';
    default:
      return 'full';
  }
}

/** Returns the fence of a write; a request without one has none. */
export function fenceOf(fence: FenceMessage | undefined): Fence | undefined {
  if (fence?.holder.case === undefined) return undefined;
  return { kind: fence.holder.case, name: fence.holder.value, token: fence.token };
}

/** Returns the transaction that a request names. */
export function txnOf({
  compares,
  success,
  failure,
}: Pick<TxnOperation, 'compares' | 'success' | 'failure'>): Txn {
  return {
    kind: 'txn',
    compares: compares.map(compareOf),
    success: success.map(operationOf),
    failure: failure.map(operationOf),
  };
}

/** Returns the message for what one step of a transaction did. */
export function operationResultMessage(
  result: OperationResult,
  encoding: Encoding,
): MessageInitShape<typeof OperationResultSchema> {
  switch (result.kind) {
    case 'read': {
      const kvs = result.kvs.map((kv) => keyValueMessage(kv, encoding));
      return { result: { case: 'get', value: { kvs, totalSize: result.count, more: result.more } } };
    }
    case 'put':
      return { result: { case: 'put', value: optionalKeyValue(result.previous, encoding) } };
    case 'delete': {
      const previous = result.previous.map((kv) => keyValueMessage(kv, encoding));
      return { result: { case: 'delete', value: { deletedCount: result.deletedCount, previous } } };
    }
    case 'txn': {
      const results = result.results.map((inner) => operationResultMessage(inner, encoding));
      return { result: { case: 'txn', value: { succeeded: result.succeeded, results } } };
    }
  }
}

/** The fields by which a compare or an operation names its keys. */
interface Selection {
  readonly key: string;
  readonly keyBytes: Uint8Array;
  readonly range?: KeyRangeMessage | undefined;
}

function selectionOf({ key, keyBytes, range }: Selection): KeyRange {
  return range === undefined ? singleKey(toBytes(key, keyBytes)) : rangeOf(range);
}

function operationOf({ operation }: OperationMessage): Operation {
  switch (operation.case) {
    case 'get': {
      const { view, limit } = operation.value;
      const range = selectionOf(operation.value);
      return { kind: 'read', range, view: viewOf(view), limit: limit === 0 ? DEFAULT_PAGE_SIZE : limit };
    }
    case 'put': {
      const { key, keyBytes, value, valueBytes, leaseId, returnPrevious } = operation.value;
      return {
        kind: 'put',
        key: toBytes(key, keyBytes),
        value: toBytes(value, valueBytes),
        leaseId,
        returnPrevious,
      };
    }
    case 'delete':
      return {
        kind: 'delete',
        range: selectionOf(operation.value),
        returnPrevious: operation.value.returnPrevious,
      };
    case 'txn':
      return txnOf(operation.value);
    case undefined:
      throw new Error('validation lets no operation pass that is not set');
  }
}

function compareOf(compare: CompareMessage): Compare {
  return {
    range: selectionOf(compare),
    comparison: comparisonOf(compare.comparison),
    target: targetOf(compare.target),
  };
}

function comparisonOf(comparison: Compare_Comparison): Compare['comparison'] {
  switch (comparison) {
    case Compare_Comparison.NOT_EQUAL:
      return 'notEqual';
    case Compare_Comparison.LESS:
      return 'less';
    case Compare_Comparison.GREATER:
      return 'greater';
    default:
      return 'equal';
  }
}

function targetOf(target: CompareMessage['target']): Compare['target'] {
  switch (target.case) {
    case 'value':
      return { kind: 'value', value: toBytes(target.value, new Uint8Array()) };
    case 'valueBytes':
      return { kind: 'value', value: target.value };
    case undefined:
      throw new Error('validation lets no compare pass whose target is not set');
    default:
      return { kind: target.case, number: target.value };
  }
}
