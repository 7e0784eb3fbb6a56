// A store that sends reads, and writes, that come at the same time as one transaction.
//
// What that may change, and does not:
// - A read is sent after it was called, so that it is as linearizable as one that is sent by itself. Reads of different freshness
//   are never in one transaction; a read at an earlier revision is sent by itself.
// - Puts that are gathered share one revision, as all that one transaction writes, and a watch tells them in one message. Two
//   puts of one key never share one, nor do two of which one was called when the other had been answered; each makes its key's
//   next version, as by itself.
// - Either all of them happen or none. Where one cannot happen (its lease is gone, its key is forbidden, together they are too
//   large) nothing did, and halves are sent until each caller has its own answer. Where the outcome is unknown it is for all.

import { DomainError, type ErrorReason } from '../../domain/errors.ts';
import { compareKeys, keyId } from '../../domain/key-range.ts';
import type {
  AtRevision,
  KeyValueStore,
  Operation,
  PutOperation,
  ReadOperation,
  ReadResult,
  Txn,
  TxnResult,
} from '../../domain/store.ts';
import { Gatherer } from './gatherer.ts';

type ReadAnswer = AtRevision<ReadResult>;
type TxnAnswer = AtRevision<TxnResult>;

/** What fails a transaction for the sake of some of its operations, before any has an effect. */
const FOR_SOME: readonly ErrorReason[] = [
  'LEASE_NOT_FOUND',
  'STORE_PERMISSION_DENIED',
  'TOO_MANY_OPERATIONS',
  'REQUEST_TOO_LARGE',
];

/** A put has no large answer, and a read no effect. */
const FOR_SOME_READS: readonly ErrorReason[] = [...FOR_SOME, 'RESPONSE_TOO_LARGE'];

/** Returns `store` with its reads of single keys, and its unconditional puts of single keys, gathered. */
export function createGatheringStore(store: KeyValueStore): KeyValueStore {
  const linearizable = readGatherer(store);
  const serializable = readGatherer(store);
  const puts = putGatherer(store);
  return {
    read(operation, options) {
      if (!isGatherableRead(operation)) return store.read(operation, options);
      return (operation.serializable ? serializable : linearizable).call(operation, options);
    },
    txn: (txn, options) => (isGatherablePut(txn) ? puts.call(txn, options) : store.txn(txn, options)),
  };
}

function readGatherer(store: KeyValueStore): Gatherer<ReadOperation, ReadAnswer> {
  return new Gatherer({
    shareOf: ({ range }) => ({ operations: 1, bytes: range.kind === 'key' ? range.key.length : 0 }),
    sendOne: (read, options) => store.read(read, options),
    async sendMany(reads, options) {
      const { results, revision } = await store.txn(together(reads), options);
      return results.map((result) => {
        if (result.kind !== 'read') throw new Error('the store answered a read with something else');
        const { kind, kvs, count, more } = result;
        return { kind, kvs, count, more, revision };
      });
    },
    isForSome: (error) => isOneOf(FOR_SOME_READS, error),
  });
}

function putGatherer(store: KeyValueStore): Gatherer<PutTxn, TxnAnswer> {
  return new Gatherer({
    shareOf: ({ success }) => {
      const [{ key, value }] = success;
      return {
        operations: success.length,
        bytes: success.length * key.length + value.length,
        name: keyId(key),
      };
    },
    sendOne: (txn, options) => store.txn(txn, options),
    async sendMany(txns, options) {
      const { results, revision } = await store.txn(
        together(txns.flatMap(({ success }) => success)),
        options,
      );
      let next = 0;
      return txns.map(({ success }) => {
        const start = next;
        next += success.length;
        return { kind: 'txn', succeeded: true, results: results.slice(start, next), revision };
      });
    },
    isForSome: (error) => isOneOf(FOR_SOME, error),
  });
}

/** A put without conditions, and perhaps a look at what it wrote. */
type PutTxn = Txn & { readonly success: readonly [PutOperation, ...ReadOperation[]] };

function isGatherablePut(txn: Txn): txn is PutTxn {
  const [put, readBack] = txn.success;
  if (txn.compares.length > 0 || txn.failure.length > 0 || txn.success.length > 2) return false;
  // A previous value may be large, and an answer that is too large would hide what was written.
  if (put?.kind !== 'put' || put.returnPrevious) return false;
  return readBack === undefined || isLookAt(readBack, put.key);
}

function isLookAt(operation: Operation, key: Uint8Array): boolean {
  if (operation.kind !== 'read' || operation.view !== 'keys' || !isGatherableRead(operation)) return false;
  return operation.range.kind === 'key' && compareKeys(operation.range.key, key) === 0;
}

function isGatherableRead({ range, revision }: ReadOperation): boolean {
  return range.kind === 'key' && (revision === undefined || revision === 0n);
}

function together(success: readonly Operation[]): Txn {
  return { kind: 'txn', compares: [], success, failure: [] };
}

function isOneOf(reasons: readonly ErrorReason[], error: unknown): boolean {
  return error instanceof DomainError && reasons.includes(error.reason);
}
