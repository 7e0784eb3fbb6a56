import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DiscoverResponse } from '../../../gen/concord/discovery/v1/discovery_service_pb.ts';
import { Consistency } from '../../../gen/concord/kv/v1/reading_pb.ts';
import { type Etcd, openEtcd } from '../../../src/etcd/open-etcd.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { openClients } from '../../support/open-clients.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import type { DiscoveryClient } from './instance-watch.ts';
import { serviceName, storedInstances } from './stored-instances.ts';

const COUNT = 10;
const LONG = { window: { seconds: 60n }, hold: { seconds: 300n } };

const idsOf = ({ instances }: DiscoverResponse) => instances.map(({ instanceId }) => instanceId);

describe('the loss guard of a service', () => {
  let etcd: TestEtcd;
  let gateway: TestGateway;
  let other: TestGateway;
  let direct: Etcd;
  let here: DiscoveryClient;
  let there: DiscoveryClient;

  beforeAll(async () => {
    etcd = await startEtcd();
    gateway = await startGateway([etcd.endpoint]);
    other = await startGateway([etcd.endpoint]);
    direct = openEtcd({ endpoints: [etcd.endpoint] });
    here = openClients(gateway.url).discovery;
    there = openClients(other.url).discovery;
  });

  afterAll(async () => {
    await direct?.[Symbol.asyncDispose]();
    await other?.[Symbol.asyncDispose]();
    await gateway?.[Symbol.asyncDispose]();
    await etcd?.stop();
  });

  /** Registers instances 0 to 9, and returns how to have the first so many expire, as etcd does when their leases end. */
  async function registered(service: string): Promise<{ readonly expire: (count: number) => Promise<void> }> {
    const answers = await Promise.all(
      Array.from({ length: COUNT }, (_, i) => register(service, String(i), i < 8 ? 'a' : 'b')),
    );
    return {
      async expire(count) {
        const options = { signal: AbortSignal.timeout(20_000) };
        const lost = answers.slice(0, count);
        await Promise.all(lost.map(({ leaseId }) => direct.leases.revoke(leaseId, options)));
      },
    };
  }

  function register(service: string, instanceId: string, zone = 'a') {
    return here.register({
      instance: { service, instanceId, host: 'h', port: 80, zone },
      ttl: { seconds: 300n },
    });
  }

  /** Both gateways know the service and its guard. */
  async function guarded(
    service: string,
    guard: Parameters<DiscoveryClient['setLossGuard']>[0],
  ): Promise<void> {
    const { revision } = await here.setLossGuard({ ...guard, service });
    for (const discovery of [here, there]) {
      expect(idsOf(await discovery.discover({ service }))).toHaveLength(COUNT);
      const read = await discovery.getLossGuard({ service, minRevision: revision });
      expect(read.maxLossPercent).toBe(guard.maxLossPercent);
    }
    await guardsAreKnown();
  }

  /** Returns when both gateways act on a guard that is set now, and so on those that were set before. */
  async function guardsAreKnown(): Promise<void> {
    const service = serviceName();
    await here.setLossGuard({ service, maxLossPercent: 1, ...LONG });
    await eventually(async () => {
      const { leaseId } = await register(service, 'x');
      await direct.leases.revoke(leaseId, { signal: AbortSignal.timeout(20_000) });
      for (const discovery of [here, there]) expect((await discovery.discover({ service })).stale).toBe(true);
    });
  }

  it('is off by default, and says what it is when it is set', async () => {
    const service = serviceName();
    expect(await here.getLossGuard({ service })).toMatchObject({ maxLossPercent: 0 });
    const { revision } = await here.setLossGuard({ service, maxLossPercent: 30 });
    const consistency = Consistency.SERIALIZABLE;
    expect(await there.getLossGuard({ service, minRevision: revision, consistency })).toMatchObject({
      maxLossPercent: 30,
      window: { seconds: 30n },
      hold: { seconds: 300n },
    });
    await there.setLossGuard({ service, maxLossPercent: 5, ...LONG });
    expect(await here.getLossGuard({ service })).toMatchObject({ maxLossPercent: 5, ...LONG });
    await there.setLossGuard({ service });
    expect(await here.getLossGuard({ service })).toMatchObject({ maxLossPercent: 0 });
    for (const wrong of [
      { maxLossPercent: 100 },
      { maxLossPercent: -1 },
      { window: { nanos: 1 } },
      { hold: {} },
    ]) {
      const refused = await failureOf(here.setLossGuard({ service, ...wrong }));
      expect(refused.reason).toBe('FIELD_INVALID');
    }
  });

  it('goes on serving those that were lost, marked and with the reason, at every gateway', async () => {
    const service = serviceName();
    const { expire } = await registered(service);
    await guarded(service, { maxLossPercent: 50, ...LONG });
    await expire(8);
    for (const discovery of [here, there]) {
      await eventually(async () => {
        const answer = await discovery.discover({ service });
        expect(answer.stale).toBe(true);
        expect(answer.staleReason).toMatch(/^\d of 10 instances expired within 60 s, more than 50 %$/);
        expect(idsOf(answer)).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
      });
      const filtered = await discovery.discover({ service, filter: { zones: ['b'] } });
      expect([filtered.stale, idsOf(filtered)]).toEqual([true, ['8', '9']]);
      const picked = await discovery.pick({ service, filter: { zones: ['a'] } });
      expect(picked).toMatchObject({ stale: true, instance: { zone: 'a' } });
    }
    expect(await storedInstances(direct.store, service)).toHaveLength(2);
  });

  it('does not hold for fewer than its bound, nor without a bound', async () => {
    const [bounded, off] = [serviceName(), serviceName()];
    for (const [service, maxLossPercent] of [
      [bounded, 30],
      [off, 0],
    ] as const) {
      const { expire } = await registered(service);
      await guarded(service, { maxLossPercent, ...LONG });
      const lost = service === off ? COUNT : 3;
      await expire(lost);
      const answer = await there.discover({ service });
      expect(answer).toMatchObject({ stale: false, staleReason: '' });
      expect(idsOf(answer)).toHaveLength(COUNT - lost);
    }
  });

  it('does not hold for instances that were taken out', async () => {
    const service = serviceName();
    await registered(service);
    await guarded(service, { maxLossPercent: 10, ...LONG });
    for (let i = 0; i < 9; i++) await here.unregister({ service, instanceId: String(i) });
    for (const discovery of [here, there]) {
      const answer = await discovery.discover({ service });
      expect([answer.stale, idsOf(answer)]).toEqual([false, ['9']]);
    }
  });

  it('lets go when enough of them are back', async () => {
    const service = serviceName();
    const { expire } = await registered(service);
    await guarded(service, { maxLossPercent: 50, ...LONG });
    await expire(8);
    await eventually(async () => expect((await there.discover({ service })).stale).toBe(true));
    for (const id of ['0', '1']) await register(service, id);
    const still = await there.discover({ service });
    expect([still.stale, idsOf(still).length]).toEqual([true, COUNT]);
    await register(service, '2');
    const answer = await there.discover({ service });
    expect([answer.stale, idsOf(answer)]).toEqual([false, ['0', '1', '2', '8', '9']]);
    expect(answer.staleReason).toBe('');
  });

  it('lets go when it has held for as long as it may, and when it is switched off', async () => {
    const [short, off] = [serviceName(), serviceName()];
    for (const [service, seconds] of [
      [short, 8n],
      [off, 300n],
    ] as const) {
      const { expire } = await registered(service);
      await guarded(service, { maxLossPercent: 50, window: { seconds: 60n }, hold: { seconds } });
      await expire(8);
      await eventually(async () => expect((await there.discover({ service })).stale).toBe(true));
    }
    await here.setLossGuard({ service: off, maxLossPercent: 0 });
    for (const service of [short, off]) {
      await eventually(async () => {
        const answer = await there.discover({ service });
        expect([answer.stale, idsOf(answer)]).toEqual([false, ['8', '9']]);
      });
    }
  });

  it('goes on holding when it is set again', async () => {
    const service = serviceName();
    const { expire } = await registered(service);
    await guarded(service, { maxLossPercent: 50, ...LONG });
    await expire(8);
    await eventually(async () => expect((await here.discover({ service })).stale).toBe(true));
    await here.setLossGuard({ service, maxLossPercent: 40, ...LONG });
    await guardsAreKnown();
    expect((await here.discover({ service })).stale).toBe(true);
    await here.setLossGuard({ service, maxLossPercent: 90, ...LONG });
    await eventually(async () => expect((await here.discover({ service })).stale).toBe(false));
  });

  it('sees a loss when it happens, not when somebody asks', async () => {
    const service = serviceName();
    const { expire } = await registered(service);
    await guarded(service, { maxLossPercent: 50, window: { seconds: 3n }, hold: { seconds: 300n } });
    await expire(8);
    // Nobody asks for longer than the window.
    await delay(4_500);
    const answer = await here.discover({ service });
    expect([answer.stale, idsOf(answer).length]).toEqual([true, COUNT]);
  });

  it('is not counted in by WaitFor, which says nothing of stale ones', async () => {
    const service = serviceName();
    const { expire } = await registered(service);
    await guarded(service, { maxLossPercent: 50, ...LONG });
    await expire(8);
    await eventually(async () => expect((await here.discover({ service })).stale).toBe(true));
    expect((await here.waitFor({ service, count: 2 })).instances).toHaveLength(2);
    const signal = AbortSignal.timeout(500);
    await expect(here.waitFor({ service, count: 3 }, { signal })).rejects.toThrow();
  });
});
