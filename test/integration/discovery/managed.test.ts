import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Liveness } from '../../../gen/concord/discovery/v1/discovery_service_pb.ts';
import { eventually } from '../../support/eventually.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { type RunningConcord, runConcord } from '../../support/run-concord.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { startProbedServer } from './probed-server.ts';
import { duration, instanceOf, watchReasons } from './watch-reasons.ts';

const COUNT = 100;
/** Longer than any time to live here, and than it takes the others to see that a replica is gone. */
const OBSERVED_MS = 25_000;
const serviceOf = () => `managed-${randomUUID()}`;

describe('a managed instance', { timeout: 240_000 }, () => {
  let etcd: TestEtcd;
  let gateways: readonly TestGateway[];
  let discovery: Clients['discovery'];

  beforeAll(async () => {
    etcd = await startEtcd();
    const env = { CONCORD_PROBE_NETWORKS: 'loopback' };
    gateways = await Promise.all([0, 1].map(() => startGateway([etcd.endpoint], env)));
    discovery = openClients(gateways[0]?.url ?? '').discovery;
  });

  afterAll(async () => {
    for (const gateway of gateways ?? []) await gateway[Symbol.asyncDispose]();
    await etcd?.stop();
  });

  function runGateway(): Promise<RunningConcord> {
    return runConcord({ env: { ETCD_ENDPOINTS: etcd.endpoint, CONCORD_PROBE_NETWORKS: 'loopback' } });
  }

  /** How many leases the surviving gateways renew, each counted once. */
  function renewedHere(): number {
    return gateways.reduce((sum, { app }) => sum + app.stats().autoRenewed, 0);
  }

  it.each([
    ['', 15_000, 0],
    [', with a time to live shorter than that takes to be seen', 4_000, 6_000],
  ])('lives on when the gateway that registered it is killed%s', async (_, ttlMs, agedMs) => {
    const service = serviceOf();
    await using gateway = await runGateway();
    const registering = openClients(gateway.url).discovery;
    const names = Array.from({ length: COUNT }, (_, i) => `i${i}`);
    await using watcher = await watchReasons(discovery, service);
    await Promise.all(
      names.map((instanceId) =>
        registering.register({
          instance: instanceOf(service, instanceId),
          ttl: duration(ttlMs),
          liveness: Liveness.MANAGED,
        }),
      ),
    );
    await eventually(() => expect(watcher.told.length).toBe(COUNT));
    // The gateway that is killed renews its part of them.
    await eventually(() => {
      expect(renewedHere()).toBeGreaterThan(0);
      expect(renewedHere()).toBeLessThan(COUNT);
    });
    await delay(agedMs);
    gateway.signal('SIGKILL');
    await eventually(() => expect(renewedHere()).toBe(COUNT), 60_000);
    await delay(OBSERVED_MS);
    expect(watcher.told.filter((line) => !line.startsWith('REGISTERED'))).toEqual([]);
    expect((await discovery.discover({ service })).instances.length).toBe(COUNT);
    await Promise.all(names.map((instanceId) => discovery.unregister({ service, instanceId })));
    await eventually(() => expect(renewedHere()).toBe(0));
    await eventually(() => expect(watcher.told.length).toBe(2 * COUNT));
    // A lease that nobody renews any more may end before the watch looks at it, and is then taken for the cause.
    expect(watcher.told.slice(COUNT).every((line) => /^(UNREGISTERED|EXPIRED) /.test(line))).toBe(true);
  });

  it('is renewed no longer once it is unregistered, or registered anew', async () => {
    const service = serviceOf();
    const instance = instanceOf(service, 'a');
    const managed = { instance, ttl: duration(1_000), liveness: Liveness.MANAGED };
    const { leases } = openClients(gateways[0]?.url ?? '');
    const ends = [
      () => discovery.unregister({ service, instanceId: 'a' }),
      () => discovery.register({ instance }),
    ];
    for (const end of ends) {
      const { leaseId } = await discovery.register(managed);
      await end();
      await eventually(async () => {
        const all = (await leases.list({})).leases.map((lease) => lease.leaseId);
        expect(all).not.toContain(leaseId);
      });
    }
    await discovery.unregister({ service, instanceId: 'a' });
  });

  it('goes on being probed when the gateway that probes it is killed', async () => {
    const service = serviceOf();
    await using server = await startProbedServer('tcp');
    await using gateway = await runGateway();
    await using watcher = await watchReasons(discovery, service);
    const names = Array.from({ length: 12 }, (_, i) => `i${i}`);
    for (const instanceId of names) {
      await openClients(gateway.url).discovery.register({
        instance: instanceOf(service, instanceId, { port: server.port }),
        ttl: duration(4_000),
        liveness: Liveness.MANAGED,
        probe: {
          check: { case: 'tcp', value: {} },
          interval: duration(200),
          timeout: duration(1_000),
          failureThreshold: 2,
          giveUpAfter: duration(3_000),
        },
      });
    }
    const probedHere = () => gateways.reduce((sum, { app }) => sum + app.stats().probed, 0);
    await eventually(() => expect(renewedHere()).toBeGreaterThan(0));
    expect(probedHere()).toBeLessThan(names.length);
    gateway.signal('SIGKILL');
    await eventually(() => expect(probedHere()).toBe(names.length));
    await server.close();
    await Promise.all(names.map((name) => watcher.heard(`EXPIRED ${name}`)));
    for (const name of names) expect(watcher.of(name)).toEqual(['REGISTERED', 'STATUS DOWN', 'EXPIRED']);
    expect(probedHere()).toBe(0);
  });
});
