import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DomainError } from '../../../src/domain/errors.ts';
import { singleKey } from '../../../src/domain/key-range.ts';
import type { KeyValueStore } from '../../../src/domain/store.ts';
import { openEtcd } from '../../../src/etcd/open-etcd.ts';
import { countKvCalls } from '../../support/count-kv-calls.ts';
import { enableAuth } from '../../support/etcd-auth.ts';
import { eventually } from '../../support/eventually.ts';
import { failuresOf } from '../../support/failure-of.ts';
import { openKvClient } from '../../support/kv-client.ts';
import { startCallers } from '../../support/start-callers.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startEtcdCluster } from '../../support/start-etcd-cluster.ts';
import { startGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';

const READER = { username: 'reader', password: 'reader-secret', prefix: 'allowed/' };
const MEBIBYTE = 2 ** 20;

const options = () => ({ signal: AbortSignal.timeout(50_000) });

describe('calls that come at the same time', () => {
  let etcd: TestEtcd;

  beforeAll(async () => {
    etcd = await startEtcd({ args: ['--quota-backend-bytes=1000000000'] });
  });

  afterAll(async () => {
    await etcd?.stop();
  });

  it('reach etcd in few calls, and each gets its own answer', async () => {
    await using adapter = openEtcd({ endpoints: [etcd.endpoint] });
    const { store } = adapter;
    const keys = keysOf(200);
    await write(store, 'warm');
    const before = await countKvCalls(etcd.endpoint);
    for (const round of [1n, 2n]) {
      const written = await Promise.all(keys.map((key) => write(store, key, { value: `${key} ${round}` })));
      const read = await Promise.all(keys.map((key) => readKey(store, key)));
      expect(written.map(({ version }) => version)).toEqual(keys.map(() => round));
      expect(read.map((kv) => kv && String(Buffer.from(kv.value)))).toEqual(
        keys.map((key) => `${key} ${round}`),
      );
      expect(read.map((kv) => kv?.modRevision)).toEqual(written.map(({ revision }) => revision));
    }
    expect((await countKvCalls(etcd.endpoint)) - before).toBeLessThan(80);
  });

  it('give each write of one key a revision and a version of its own', async () => {
    await using adapter = openEtcd({ endpoints: [etcd.endpoint] });
    const [key = ''] = keysOf(1);
    const written = await Promise.all(
      Array.from({ length: 100 }, (_, i) => write(adapter.store, key, { value: String(i) })),
    );
    const inOrder = written.toSorted((a, b) => Number(a.revision - b.revision));
    expect(inOrder.map(({ version }) => version)).toEqual(inOrder.map((_, i) => BigInt(i + 1)));
    expect(new Set(written.map(({ revision }) => revision)).size).toBe(100);
  });

  it('come through the gateway as they come alone', async () => {
    await using gateway = await startGateway([etcd.endpoint]);
    const kv = openKvClient(gateway.url);
    const keys = keysOf(100);
    const written = await Promise.all(keys.map((key) => kv.put({ key, value: key })));
    expect(written.map(({ version }) => version)).toEqual(keys.map(() => 1n));
    const reads = keys.map((key) => kv.get({ key }));
    const missing = keys.map((key) => kv.get({ key: `${key}/missing` }));
    const [values, failures] = await Promise.all([Promise.all(reads), failuresOf(missing)]);
    expect(failures.map(({ reason }) => reason)).toEqual(keys.map(() => 'KEY_NOT_FOUND'));
    expect(values.map((answer) => answer.kv?.value)).toEqual(keys);
    expect(values.map((answer) => answer.kv?.modRevision)).toEqual(written.map(({ revision }) => revision));
  });

  it('fail alone where their lease is gone', async () => {
    await using adapter = openEtcd({ endpoints: [etcd.endpoint] });
    const { store, leases } = adapter;
    const lease = await leases.grant({ ttlSeconds: 600n }, options());
    const gone = [404n, 405n];
    const keys = keysOf(60);
    const leaseOf = (i: number) => (i === 20 ? 404n : i === 21 ? 405n : lease.leaseId);
    const outcomes = await Promise.allSettled(
      keys.map((key, i) => write(store, key, { leaseId: leaseOf(i) })),
    );
    expect(reasonsOf(outcomes)).toEqual(
      gone.map((leaseId) => ['LEASE_NOT_FOUND', { lease_id: String(leaseId) }]),
    );
    const read = await Promise.all(keys.map((key) => readKey(store, key)));
    expect(read.map((kv) => kv?.leaseId)).toEqual(
      keys.map((_, i) => (i === 20 || i === 21 ? undefined : lease.leaseId)),
    );
  });

  it('are read though they are too large together', async () => {
    await using adapter = openEtcd({ endpoints: [etcd.endpoint] });
    const keys = keysOf(70);
    const value = 'x'.repeat(MEBIBYTE);
    await Promise.all(keys.map((key) => write(adapter.store, key, { value })));
    const read = await Promise.all(keys.map((key) => readKey(adapter.store, key)));
    expect(read.map((kv) => kv?.value.length)).toEqual(keys.map(() => MEBIBYTE));
  });
});

describe('calls that come at the same time to an etcd that takes few operations', () => {
  it('are sent in batches that it takes', async () => {
    await using etcd = await startEtcd({ args: ['--max-txn-ops=8'] });
    await using adapter = openEtcd({ endpoints: [etcd.endpoint] });
    const keys = keysOf(100);
    const written = await Promise.all(keys.map((key) => write(adapter.store, key)));
    expect(written.map(({ version }) => version)).toEqual(keys.map(() => 1n));
    const read = await Promise.all(keys.map((key) => readKey(adapter.store, key)));
    expect(read.map((kv) => kv && String(Buffer.from(kv.value)))).toEqual(keys);
  });
});

describe('calls that come at the same time to an etcd with authentication', () => {
  it('fail alone where their key is forbidden', async () => {
    await using etcd = await startEtcd({ args: ['--bcrypt-cost=4'] });
    await enableAuth(etcd.endpoint, 'root-secret', [READER]);
    await using adapter = openEtcd({ endpoints: [etcd.endpoint], user: READER });
    const { store } = adapter;
    const keys = keysOf(60).map((key, i) => (i === 7 ? key : `${READER.prefix}${key}`));
    const writes = await Promise.allSettled(keys.map((key) => write(store, key)));
    expect(reasonsOf(writes)).toEqual([['STORE_PERMISSION_DENIED', {}]]);
    const reads = await Promise.allSettled(keys.map((key) => readKey(store, key)));
    expect(reasonsOf(reads)).toEqual([['STORE_PERMISSION_DENIED', {}]]);
    expect(reads.filter((read) => read.status === 'fulfilled' && read.value !== undefined)).toHaveLength(59);
  });
});

describe('calls that come at the same time to a cluster', () => {
  it('lose no write that was answered when the leader is killed, and read on', async () => {
    await using cluster = await startEtcdCluster(3);
    await using adapter = openEtcd({ endpoints: cluster.endpoints });
    const { store } = adapter;
    const keys = keysOf(40);
    const tallies = keys.map(() => ({ confirmed: 0n, unknown: 0n }));
    let reads = 0;
    const readers = startCallers({
      count: 40,
      async call(caller) {
        await readKey(store, keys[caller] ?? '');
        reads++;
      },
      goesOn: () => true,
    });
    const writers = startCallers({
      count: keys.length,
      async call(caller) {
        const tally = tallies[caller];
        if (tally === undefined) throw new Error(`no key for caller ${caller}`);
        try {
          await write(store, keys[caller] ?? '');
          tally.confirmed++;
        } catch (error) {
          if (!(error instanceof DomainError)) throw error;
          if (error.reason === 'OUTCOME_UNKNOWN') tally.unknown++;
          else if (error.reason !== 'STORE_UNAVAILABLE') throw error;
        }
      },
      goesOn: ({ error }) => error === undefined,
    });
    const goesOn = async () => {
      const before = { reads, confirmed: tallies.map(({ confirmed }) => confirmed) };
      await eventually(() => {
        expect(reads).toBeGreaterThan(before.reads + 100);
        for (const [i, { confirmed }] of tallies.entries()) {
          expect(confirmed).toBeGreaterThan((before.confirmed[i] ?? 0n) + 5n);
        }
      });
    };
    await goesOn();
    const leader = await cluster.leader();
    await leader.kill();
    await goesOn();
    await Promise.all([readers.stop(), writers.stop()]);
    expect(writers.records.filter(({ error }) => error !== undefined)).toEqual([]);
    for (const [i, { confirmed, unknown }] of tallies.entries()) {
      const version = (await readKey(store, keys[i] ?? ''))?.version ?? 0n;
      expect(version).toBeGreaterThanOrEqual(confirmed);
      expect(version).toBeLessThanOrEqual(confirmed + unknown);
    }
  });
});

function keysOf(count: number): readonly string[] {
  const prefix = randomUUID();
  return Array.from({ length: count }, (_, i) => `${prefix}/${i}`);
}

/** Writes as a Put of the contract does, and returns the revision and the key's version. */
async function write(
  store: KeyValueStore,
  name: string,
  { value = name, leaseId = 0n }: { readonly value?: string; readonly leaseId?: bigint } = {},
) {
  const key = Buffer.from(name);
  const put = { kind: 'put', key, value: Buffer.from(value), leaseId } as const;
  const readBack = { kind: 'read', range: singleKey(key), view: 'keys' } as const;
  const { results, revision } = await store.txn(
    { kind: 'txn', compares: [], success: [put, readBack], failure: [] },
    options(),
  );
  const [, stored] = results;
  return { revision, version: stored?.kind === 'read' ? stored.kvs[0]?.version : undefined };
}

async function readKey(store: KeyValueStore, name: string) {
  const { kvs } = await store.read({ kind: 'read', range: singleKey(Buffer.from(name)) }, options());
  return kvs[0];
}

function reasonsOf(outcomes: readonly PromiseSettledResult<unknown>[]): readonly unknown[] {
  return outcomes.flatMap((outcome) => {
    if (outcome.status === 'fulfilled') return [];
    const error: unknown = outcome.reason;
    return [error instanceof DomainError ? [error.reason, error.metadata] : error];
  });
}
