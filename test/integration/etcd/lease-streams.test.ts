import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import type { LeaseStore } from '../../../src/domain/store.ts';
import { createAuthenticator } from '../../../src/etcd/authenticator.ts';
import { Cluster, DEFAULT_CLUSTER_TIMES } from '../../../src/etcd/cluster.ts';
import type { KeepAliveTimes } from '../../../src/etcd/lease/keep-alive-times.ts';
import { createLeaseStore } from '../../../src/etcd/lease/lease-store.ts';
import { Member } from '../../../src/etcd/member.ts';
import { eventually } from '../../support/eventually.ts';
import { renew, type ScriptedLeases, startScriptedLeases } from '../../support/scripted-leases.ts';

describe('a stream of renewals', () => {
  it('that a refused renewal ends takes no other one with it', async () => {
    await using etcd = await startScriptedLeases((call, leaseId) => {
      const refusal = { code: status.PERMISSION_DENIED, details: 'etcdserver: permission denied' };
      if (leaseId === '13') call.emit('error', refusal);
      else renew(call, leaseId);
    });
    await using leases = openLeases(etcd);
    const outcomes = await Promise.allSettled(
      [11n, 12n, 13n, 14n, 15n].map((id) => leases.keepAlive(id, within())),
    );
    expect(outcomes).toMatchObject([
      { value: { leaseId: 11n, ttlSeconds: 60n, revision: 1n } },
      { value: { leaseId: 12n } },
      { reason: { reason: 'STORE_PERMISSION_DENIED' } },
      { value: { leaseId: 14n } },
      { value: { leaseId: 15n } },
    ]);
    expect(etcd.streams).toBe(2);
  });

  it.each([
    ['etcd has no leader', status.UNAVAILABLE, 'etcdserver: no leader'],
    ['its token is refused', status.UNAUTHENTICATED, 'etcdserver: invalid auth token'],
    ['etcd has too much to do', status.RESOURCE_EXHAUSTED, 'etcdserver: too many requests'],
  ])('that ends because %s is followed by another', async (_, code, details) => {
    await using etcd = await startScriptedLeases((call, leaseId, stream) => {
      if (stream <= 3) call.emit('error', { code, details });
      else renew(call, leaseId);
    });
    await using leases = openLeases(etcd);
    await renewAll(leases, [1n, 2n, 3n]);
    expect(etcd.streams).toBe(4);
  });

  it('that etcd ends without a cause is followed by another', async () => {
    await using etcd = await startScriptedLeases((call, leaseId, stream) => {
      if (stream === 1) call.end();
      else renew(call, leaseId);
    });
    await using leases = openLeases(etcd);
    await renewAll(leases, [1n, 2n, 3n]);
    expect(etcd.streams).toBe(2);
  });

  it('that says nothing is given up for another, which is borne with for longer', async () => {
    await using etcd = await startScriptedLeases((call, leaseId, stream) => {
      if (stream > 3) renew(call, leaseId);
    });
    await using leases = openLeases(etcd, { silenceMs: 200, tickMs: 20 });
    const startMs = performance.now();
    await renewAll(leases, [1n]);
    expect(etcd.streams).toBe(4);
    // 200 ms, then 400, then 800.
    expect(performance.now() - startMs).toBeGreaterThan(1_300);
  });

  it('that answers for another lease than the next is given up', async () => {
    await using etcd = await startScriptedLeases((call, leaseId, stream) =>
      renew(call, stream === 1 ? '99' : leaseId),
    );
    await using leases = openLeases(etcd);
    await expect(leases.keepAlive(1n, within())).rejects.toMatchObject({ reason: 'STORE_UNAVAILABLE' });
    await renewAll(leases, [1n, 2n]);
    expect(etcd.streams).toBe(2);
  });

  it('that nothing is asked of is closed, and opened again when something is', async () => {
    await using etcd = await startScriptedLeases(renew);
    await using leases = openLeases(etcd, { idleMs: 200, tickMs: 20 });
    for (let streams = 1; streams <= 2; streams++) {
      await renewAll(leases, [1n, 2n]);
      expect(etcd.streams).toBe(streams);
      await eventually(() => expect(etcd.openStreams).toBe(0));
    }
  });
});

/** The leases of a server, with the stream's own times. */
function openLeases(
  { endpoint }: ScriptedLeases,
  times?: Partial<KeepAliveTimes>,
): LeaseStore & AsyncDisposable {
  const clusterTimes = { ...DEFAULT_CLUSTER_TIMES, callTimeoutMs: 15_000 };
  const cluster = new Cluster(
    [new Member(endpoint, undefined)],
    createAuthenticator(undefined),
    clusterTimes,
  );
  const leases = createLeaseStore(cluster, times);
  return {
    ...leases,
    async [Symbol.asyncDispose]() {
      leases.close();
      cluster.close();
    },
  };
}

function within(): { readonly signal: AbortSignal } {
  return { signal: AbortSignal.timeout(30_000) };
}

async function renewAll(leases: LeaseStore, leaseIds: readonly bigint[]): Promise<void> {
  await Promise.all(leaseIds.map((leaseId) => leases.keepAlive(leaseId, within())));
}
