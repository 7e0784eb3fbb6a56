import { createDiscoveryKeys } from '../../../src/domain/discovery/discovery-keys.ts';
import { isInstance, readInstance, type Status } from '../../../src/domain/discovery/instance.ts';
import type { ProbeCheck, Prober } from '../../../src/domain/discovery/probe.ts';
import { DomainError } from '../../../src/domain/errors.ts';
import { keyId } from '../../../src/domain/key-range.ts';
import type { KeyValue, KeyValueStore, Operation, OperationResult, Txn } from '../../../src/domain/store.ts';

/** A store of single keys, as far as probing needs one. */
export class FakeRegistry implements Pick<KeyValueStore, 'read' | 'txn'> {
  readonly keys = createDiscoveryKeys('/services');
  readonly #kvs = new Map<string, KeyValue>();
  revision = 1n;
  reads = 0;
  isFailing = false;
  /** Called before each write is done. */
  beforeWrite: () => void = () => {};

  put(key: Uint8Array, value: string, leaseId: bigint): void {
    this.revision += 1n;
    this.#write({ kind: 'put', key, value: new TextEncoder().encode(value), leaseId });
  }

  has(key: Uint8Array): boolean {
    return this.#kvs.has(keyId(key));
  }

  delete(key: Uint8Array): void {
    this.revision += 1n;
    this.#kvs.delete(keyId(key));
  }

  statusOf(service: string, instanceId: string): Status | undefined {
    const kv = this.#kvs.get(keyId(this.keys.ofInstance(service, instanceId)));
    const read = kv && readInstance(service, instanceId, kv);
    return read !== undefined && isInstance(read) ? read.status : undefined;
  }

  read: KeyValueStore['read'] = async ({ range }) => {
    this.reads += 1;
    this.#requireThere();
    if (range.kind !== 'key') throw new Error('this fake has single keys only');
    const kv = this.#kvs.get(keyId(range.key));
    return { kind: 'read', kvs: kv ? [kv] : [], count: kv ? 1n : 0n, more: false, revision: this.revision };
  };

  txn: KeyValueStore['txn'] = async ({ compares, success, failure }) => {
    this.#requireThere();
    this.beforeWrite();
    const succeeded = compares.every((compare) => this.#isTrue(compare));
    if (succeeded && success.length > 0) this.revision += 1n;
    const results = (succeeded ? success : failure).map((operation) => this.#write(operation));
    return { kind: 'txn', succeeded, results, revision: this.revision };
  };

  #isTrue({ range, target }: Txn['compares'][number]): boolean {
    if (range.kind !== 'key' || target.kind !== 'modRevision')
      throw new Error('this fake has no such compare');
    return (this.#kvs.get(keyId(range.key))?.modRevision ?? 0n) === target.number;
  }

  #write(operation: Operation): OperationResult {
    switch (operation.kind) {
      case 'put': {
        const { key, value, leaseId = 0n } = operation;
        const { revision } = this;
        const kv = { key, value, leaseId, createRevision: revision, modRevision: revision, version: 1n };
        this.#kvs.set(keyId(key), kv);
        return { kind: 'put', previous: undefined };
      }
      case 'delete':
        if (operation.range.kind === 'key') this.#kvs.delete(keyId(operation.range.key));
        return { kind: 'delete', deletedCount: 1n, previous: [] };
      case 'read': {
        const kv = operation.range.kind === 'key' ? this.#kvs.get(keyId(operation.range.key)) : undefined;
        return { kind: 'read', kvs: kv ? [kv] : [], count: kv ? 1n : 0n, more: false };
      }
      case 'txn':
        throw new Error('this fake has no transactions in transactions');
    }
  }

  #requireThere(): void {
    if (this.isFailing) throw new DomainError('STORE_UNAVAILABLE', 'the store does not answer; try again');
  }
}

/** Answers as a test says. */
export class FakeProber implements Prober {
  readonly asked: { readonly check: ProbeCheck; readonly host: string; readonly port: number }[] = [];
  answer: 'good' | 'bad' | 'none' = 'good';

  async requireAllowed(): Promise<void> {}

  ask: Prober['ask'] = (check, { host, port }, { signal }) => {
    this.asked.push({ check, host, port });
    if (this.answer === 'good') return Promise.resolve();
    if (this.answer === 'bad') return Promise.reject(new Error('refused'));
    return new Promise((_, reject) =>
      signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
    );
  };
}
