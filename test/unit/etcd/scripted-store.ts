import type {
  AtRevision,
  KeyValueStore,
  Operation,
  OperationOptions,
  OperationResult,
  ReadOperation,
  ReadResult,
  Txn,
  TxnResult,
} from '../../../src/domain/store.ts';

/** A request that a scripted store was sent, and that it answers when the test says so. */
export interface SentRequest {
  readonly kind: 'read' | 'txn';
  /** The keys of its operations, in order: `r:` read, `w:` written. */
  readonly steps: readonly string[];
  readonly request: ReadOperation | Txn;
  readonly signal: AbortSignal;
  /** Answers: a read of `key` finds it with the value `=key`. */
  answer(revision?: bigint): void;
  fail(error: unknown): void;
}

/** A store whose requests wait for the test; on abort they fail with the signal's reason. */
export function createScriptedStore(): {
  readonly store: KeyValueStore;
  readonly sent: readonly SentRequest[];
} {
  const sent: SentRequest[] = [];
  function send<T>(
    request: ReadOperation | Txn,
    { signal }: OperationOptions,
    answerTo: (revision: bigint) => T,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
      sent.push({
        kind: request.kind,
        steps: (request.kind === 'read' ? [request] : request.success).map(stepOf),
        request,
        signal,
        answer: (revision = 1n) => resolve(answerTo(revision)),
        fail: reject,
      });
    });
  }
  return {
    sent,
    store: {
      read: (read, options) =>
        send(read, options, (revision): AtRevision<ReadResult> => ({ ...readResult(read), revision })),
      txn: (txn, options) =>
        send(txn, options, (revision): AtRevision<TxnResult> => {
          return { kind: 'txn', succeeded: true, results: txn.success.map(resultOf), revision };
        }),
    },
  };
}

function stepOf(operation: Operation): string {
  switch (operation.kind) {
    case 'put':
      return `w:${Buffer.from(operation.key)}`;
    case 'read':
      return `r:${keyOf(operation)}`;
    default:
      return operation.kind;
  }
}

function resultOf(operation: Operation): OperationResult {
  return operation.kind === 'read' ? readResult(operation) : { kind: 'put', previous: undefined };
}

function readResult(read: ReadOperation): ReadResult {
  const key = Buffer.from(keyOf(read));
  const value = Buffer.from(`=${key}`);
  const kv = { key, value, createRevision: 1n, modRevision: 1n, version: 1n, leaseId: 0n };
  return { kind: 'read', kvs: [kv], count: 1n, more: false };
}

function keyOf({ range }: ReadOperation): string {
  return range.kind === 'key' ? Buffer.from(range.key).toString() : 'range';
}
