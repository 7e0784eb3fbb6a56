import type {
  AtRevision,
  GrantedLease,
  KeyValue,
  KeyValueStore,
  LeaseStore,
  OperationResult,
  Txn,
  TxnResult,
} from '../../../src/domain/store.ts';

type TxnAnswer = AtRevision<TxnResult>;

/** A transaction that waits for what a test says. */
export interface ScriptedTxn {
  readonly txn: Txn;
  /** It was done, and wrote at `revision`. */
  succeed(revision: bigint, results?: readonly OperationResult[]): void;
  /** Its compares failed. */
  refuse(revision: bigint, found: KeyValue | undefined): void;
  fail(error: Error): void;
}

/** A store that answers transactions when a test says so, and whose leases are always there. */
export class ScriptedStore implements Pick<KeyValueStore, 'txn'> {
  readonly txns: ScriptedTxn[] = [];
  readonly revoked: bigint[] = [];
  ttlSeconds = 60n;

  txn(txn: Txn): Promise<TxnAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<TxnAnswer>();
    this.txns.push({
      txn,
      succeed: (revision, results = []) => resolve({ kind: 'txn', succeeded: true, results, revision }),
      refuse(revision, found) {
        const kvs = found === undefined ? [] : [found];
        const read = { kind: 'read', kvs, count: BigInt(kvs.length), more: false } as const;
        resolve({ kind: 'txn', succeeded: false, results: [read], revision });
      },
      fail: reject,
    });
    return promise;
  }

  /** The transaction that was asked for last. */
  get last(): ScriptedTxn {
    const txn = this.txns.at(-1);
    if (txn === undefined) throw new Error('there was no transaction');
    return txn;
  }

  readonly leases: Pick<LeaseStore, 'grant' | 'keepAlive' | 'revoke'> = {
    grant: async () => this.#lease(1n),
    keepAlive: async (leaseId) => this.#lease(leaseId),
    revoke: async (leaseId) => {
      this.revoked.push(leaseId);
      return { revision: 1n };
    },
  };

  #lease(leaseId: bigint): AtRevision<GrantedLease> {
    return { leaseId, ttlSeconds: this.ttlSeconds, revision: 1n };
  }
}
