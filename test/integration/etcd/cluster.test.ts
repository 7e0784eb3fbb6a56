import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { singleKey } from '../../../src/domain/key-range.ts';
import { openEtcd } from '../../../src/etcd/open-etcd.ts';
import { eventually } from '../../support/eventually.ts';
import { startEtcdCluster, type TestEtcdCluster } from '../../support/start-etcd-cluster.ts';

/** Longer than the adapter asks one member for an answer: what is in time was asked of another. */
const BOUND_MS = 20_000;

describe('a cluster of three members', () => {
  let cluster: TestEtcdCluster;

  beforeAll(async () => {
    cluster = await startEtcdCluster(3);
  });

  afterAll(async () => {
    await cluster?.stop();
  });

  it.each([
    ['killed', { harm: 'kill', heal: 'restart' }],
    ['stalled with its connections open', { harm: 'pause', heal: 'resume' }],
  ] as const)('goes on reading when a member is %s', async (_, { harm, heal }) => {
    await using etcd = openEtcd({ endpoints: cluster.endpoints });
    const key = new TextEncoder().encode(`test/${randomUUID()}`);
    await etcd.store.txn(
      { kind: 'txn', compares: [], success: [{ kind: 'put', key, value: key }], failure: [] },
      { signal: AbortSignal.timeout(30_000) },
    );
    const leader = await cluster.leader();
    const victim = cluster.members.find((member) => member !== leader) ?? leader;
    await victim[harm]();
    try {
      // One read after another, each to the next member in turn: so some meet the one that is gone.
      for (let i = 0; i < 12; i++) {
        const { kvs } = await etcd.store.read(
          { kind: 'read', range: singleKey(key) },
          { signal: AbortSignal.timeout(BOUND_MS) },
        );
        expect(kvs).toHaveLength(1);
      }
    } finally {
      await victim[heal]();
    }
  });

  it('writes again by itself after the leader was killed, and repeats no write', async () => {
    await using etcd = openEtcd({ endpoints: cluster.endpoints });
    const key = new TextEncoder().encode(`test/${randomUUID()}`);
    const put = () =>
      etcd.store.txn(
        { kind: 'txn', compares: [], success: [{ kind: 'put', key, value: key }], failure: [] },
        { signal: AbortSignal.timeout(30_000) },
      );
    await put();
    let confirmed = 1n;
    let unknown = 0n;
    const leader = await cluster.leader();
    await leader.kill();
    await eventually(async () => {
      try {
        await put();
        confirmed += 1n;
      } catch (error) {
        const { reason } = error as { readonly reason?: string };
        expect(['OUTCOME_UNKNOWN', 'STORE_UNAVAILABLE']).toContain(reason);
        if (reason === 'OUTCOME_UNKNOWN') unknown += 1n;
        throw error;
      }
    });
    const { kvs } = await etcd.store.read(
      { kind: 'read', range: singleKey(key) },
      { signal: AbortSignal.timeout(30_000) },
    );
    const version = kvs[0]?.version ?? 0n;
    expect(version).toBeGreaterThanOrEqual(confirmed);
    expect(version).toBeLessThanOrEqual(confirmed + unknown);
    await leader.restart();
  });
});
