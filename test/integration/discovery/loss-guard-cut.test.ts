import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compact } from '../../support/etcd-watch-metrics.ts';
import { eventually } from '../../support/eventually.ts';
import { openClients } from '../../support/open-clients.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { storeStateOf } from '../../support/store-state.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { startFaultyGateway } from '../watch/start-faulty-gateway.ts';
import { serviceName, storedInstances } from './stored-instances.ts';

const COUNT = 10;
const LOST = 8;

describe('a service whose gateway is cut off from etcd while most of its instances expire', () => {
  let etcd: TestEtcd;

  beforeAll(async () => {
    etcd = await startEtcd();
  });

  afterAll(async () => {
    await etcd?.stop();
  });

  it.each([
    ['and what happened is told afterwards', false],
    ['and what happened was compacted away', true],
  ])(
    'goes on being served, marked stale, %s',
    async (_, isCompacted) => {
      await using faulty = await startFaultyGateway(etcd);
      const { proxy, direct, gateway } = faulty;
      const { discovery } = openClients(gateway.url);
      const service = serviceName();
      const registered = await Promise.all(
        Array.from({ length: COUNT }, (__, i) =>
          discovery.register({
            instance: { service, instanceId: String(i), host: 'h', port: 80 },
            ttl: { seconds: 300n },
          }),
        ),
      );
      const hold = { seconds: 300n };
      await discovery.setLossGuard({ service, maxLossPercent: 50, window: hold, hold });
      expect((await discovery.discover({ service })).instances).toHaveLength(COUNT);

      proxy.refuse();
      proxy.cut();
      for (const { leaseId } of registered.slice(0, LOST))
        await direct.leases.revoke(leaseId, { signal: AbortSignal.timeout(30_000) });
      if (isCompacted) await compact(etcd.endpoint, BigInt((await storeStateOf(etcd)).revision));
      proxy.accept();
      await eventually(async () => {
        const answer = await discovery.discover({ service });
        expect([answer.stale, answer.instances.length]).toEqual([true, COUNT]);
      }, 30_000);
      expect(await storedInstances(direct.store, service)).toHaveLength(COUNT - LOST);
    },
    60_000,
  );
});
