// The domain's KeyValueStore on etcd's KV service.

import type { KeyValueStore, Operation, Txn } from '../domain/store.ts';
import type { Cluster } from './cluster.ts';
import type { Attempt } from './errors.ts';
import { decodeRange, decodeTxn } from './wire/kv-answers.ts';
import { encodeRange, encodeTxn } from './wire/kv-requests.ts';

/** Creates the port on a cluster. */
export function createKeyValueStore(cluster: Cluster): KeyValueStore {
  return {
    async read(operation, options) {
      const { revision, serializable: isSerializable } = operation;
      const encoded = {
        path: '/etcdserverpb.KV/Range',
        request: encodeRange(operation),
        decode: decodeRange,
      };
      return cluster.call({ encoded, attempt: { isWrite: false, isSerializable, revision } }, options);
    },

    async txn(txn, options) {
      const encoded = { path: '/etcdserverpb.KV/Txn', request: encodeTxn(txn), decode: decodeTxn };
      return cluster.call({ encoded, attempt: attemptOf(txn) }, options);
    },
  };
}

function attemptOf(txn: Txn): Attempt {
  const leaseIds = new Set<bigint>();
  const revisions = new Set<bigint>();
  let isWrite = false;
  let isSerializable = txn.compares.length === 0;
  function visit(operation: Operation): void {
    switch (operation.kind) {
      case 'read':
        isSerializable &&= operation.serializable === true;
        if (operation.revision) revisions.add(operation.revision);
        return;
      case 'put':
        isWrite = true;
        if (operation.leaseId) leaseIds.add(operation.leaseId);
        return;
      case 'delete':
        isWrite = true;
        return;
      case 'txn':
        operation.success.forEach(visit);
        operation.failure.forEach(visit);
    }
  }
  visit(txn);
  return {
    isWrite,
    isSerializable: isSerializable && !isWrite,
    leaseId: only(leaseIds),
    revision: only(revisions),
  };
}

function only<T>(set: ReadonlySet<T>): T | undefined {
  const [first] = set;
  return set.size === 1 ? first : undefined;
}
