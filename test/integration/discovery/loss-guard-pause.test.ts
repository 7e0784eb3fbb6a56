import { describe, expect, it } from 'vitest';
import { openEtcd } from '../../../src/etcd/open-etcd.ts';
import { eventually } from '../../support/eventually.ts';
import { openClients } from '../../support/open-clients.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway } from '../../support/start-gateway.ts';
import { startHeartbeatingService } from './heartbeating-service.ts';
import { openInstanceWatch } from './instance-watch.ts';
import { serviceName, storedInstances } from './stored-instances.ts';

const COUNT = 20;
const LEFT = 4;
const TTL_SECONDS = 2;

describe('a service whose etcd is paused for longer than its instances live', () => {
  it('goes on being served, marked stale, when 80 % of its leases are gone, until they are back', async () => {
    await using etcd = await startEtcd();
    await using direct = openEtcd({ endpoints: [etcd.endpoint] });
    await using gateway = await startGateway([etcd.endpoint]);
    await using other = await startGateway([etcd.endpoint]);
    const [here, there] = [gateway, other].map(({ url }) => openClients(url).discovery);
    if (here === undefined || there === undefined) return expect.fail();
    const service = serviceName();
    const guard = { maxLossPercent: 50, window: { seconds: 60n }, hold: { seconds: 300n } };
    await here.setLossGuard({ service, ...guard });
    await using instances = await startHeartbeatingService(here, service, {
      count: COUNT,
      ttlSeconds: TTL_SECONDS,
    });
    const steady = instances.instanceIds.slice(0, LEFT);
    for (const instanceId of steady)
      await here.register({ instance: { service, instanceId, host: 'h', port: 80 }, ttl: { seconds: 120n } });
    for (const discovery of [here, there]) {
      const before = await discovery.discover({ service });
      expect([before.stale, before.instances.length]).toEqual([false, COUNT]);
    }
    await using watch = openInstanceWatch(there, { service });
    await watch.opened;
    // Nothing says that a gateway knows the guard: it is told within a moment, and long before the leases end.
    const { revision } = await here.setLossGuard({ service, ...guard });
    await watch.find((message) => message.revision >= revision);

    instances.keep([]);
    etcd.pause();
    await eventually(() => expect(watch.changes()).toEqual([]));
    const pausedAtMs = performance.now();
    await eventually(() => expect(performance.now() - pausedAtMs).toBeGreaterThan(TTL_SECONDS * 1_500));
    etcd.resume();
    await eventually(
      async () => expect((await storedInstances(direct.store, service)).length).toBe(LEFT),
      30_000,
    );

    for (const discovery of [here, there]) {
      await eventually(async () => {
        const answer = await discovery.discover({ service });
        expect(answer.stale).toBe(true);
        expect(answer.staleReason).toMatch(/of 20 instances expired within 60 s, more than 50 %$/);
        expect(answer.instances).toHaveLength(COUNT);
      }, 30_000);
      const picked = await discovery.pick({ service });
      expect(picked.stale).toBe(true);
    }
    // Who watches is told what became of each.
    await eventually(() => expect(watch.changes()).toHaveLength(COUNT - LEFT));
    expect(watch.changes().every((change) => change.startsWith('EXPIRED'))).toBe(true);

    await using _again = await startHeartbeatingService(here, service, { count: COUNT, ttlSeconds: 60 });
    for (const discovery of [here, there]) {
      const answer = await discovery.discover({ service });
      expect([answer.stale, answer.instances.length]).toEqual([false, COUNT]);
    }
  }, 120_000);
});
