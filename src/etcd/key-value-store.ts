// The domain's KeyValueStore on etcd's KV service.

import type { IRangeResponse, ITxnResponse } from 'etcd3';
import type { KeyValueStore, Operation, Txn } from '../domain/store.ts';
import type { Cluster } from './cluster.ts';
import type { Attempt } from './errors.ts';
import { rangeRequest, readResult, txnRequest, txnResult } from './messages.ts';

/** Creates the port on a cluster. */
export function createKeyValueStore(cluster: Cluster): KeyValueStore {
  return {
    async read(operation, options) {
      const { revision, serializable: isSerializable } = operation;
      const attempt = { isWrite: false, isSerializable, revision };
      const response = await cluster.call<IRangeResponse>(
        { service: 'KV', method: 'range', request: rangeRequest(operation), attempt },
        options,
      );
      return { ...readResult(response), revision: BigInt(response.header.revision) };
    },

    async txn(txn, options) {
      const response = await cluster.call<ITxnResponse>(
        { service: 'KV', method: 'txn', request: txnRequest(txn), attempt: attemptOf(txn) },
        options,
      );
      return { ...txnResult(response), revision: BigInt(response.header.revision) };
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
