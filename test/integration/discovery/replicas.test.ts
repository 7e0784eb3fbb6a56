import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Liveness } from '../../../gen/concord/discovery/v1/discovery_service_pb.ts';
import { Status } from '../../../gen/concord/discovery/v1/instance_pb.ts';
import { collect } from '../../support/collect.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { duration, instanceOf, watchReasons } from './watch-reasons.ts';

const ROUNDS = 50;
const PATIENCE_MS = 60_000;
const LONG = duration(600_000);
const serviceOf = () => `reasons-${randomUUID()}`;

describe('the reasons that watchers at all gateways are told', { timeout: 120_000 }, () => {
  let etcd: TestEtcd;
  let gateways: readonly TestGateway[];
  let clients: readonly Clients[];

  beforeAll(async () => {
    etcd = await startEtcd();
    gateways = await Promise.all([0, 1, 2].map(() => startGateway([etcd.endpoint])));
    clients = gateways.map(({ url }) => openClients(url));
  });

  afterAll(async () => {
    for (const gateway of gateways ?? []) await gateway[Symbol.asyncDispose]();
    await etcd?.stop();
  });

  /** Each of the gateways in turn. */
  function at(round: number): Clients {
    const found = clients[round % clients.length];
    if (found === undefined) throw new Error('there is no gateway');
    return found;
  }

  it('are those of what happened, whoever did it', async () => {
    const service = serviceOf();
    const watchers = await Promise.all(clients.map(({ discovery }) => watchReasons(discovery, service)));
    for (let round = 0; round < ROUNDS; round++) {
      const instanceId = `i${round}`;
      const { discovery } = at(round);
      const instance = instanceOf(service, instanceId);
      await discovery.register({ instance, ttl: duration(10_000) });
      await at(round + 1).discovery.setStatus({ service, instanceId, status: Status.DRAINING });
      await at(round + 2).discovery.updateInstance({ instance: { ...instance, version: '2' } });
      await at(round + 1).discovery.unregister({ service, instanceId });
    }
    const expected = ['REGISTERED', 'STATUS DRAINING', 'UPDATED', 'UNREGISTERED'];
    for (const watcher of watchers) {
      await eventually(() => expect(watcher.told.length).toBe(ROUNDS * expected.length));
      for (let round = 0; round < ROUNDS; round++) expect(watcher.of(`i${round}`)).toEqual(expected);
      await watcher[Symbol.asyncDispose]();
    }
  });

  it('tell those that expired from those that were unregistered, when both happen at once', async () => {
    const service = serviceOf();
    const watchers = await Promise.all(clients.map(({ discovery }) => watchReasons(discovery, service)));
    const rounds = Array.from({ length: ROUNDS }, (_, i) => i);
    const unregistered = await Promise.all(
      rounds.map(async (round) => {
        const { discovery } = at(round);
        const liveness = round % 2 === 0 ? Liveness.MANAGED : Liveness.HEARTBEAT;
        await discovery.register({ instance: instanceOf(service, `leaves${round}`), ttl: LONG, liveness });
        // As short as it gets: what is left of it when it is unregistered is anything.
        const ttl = duration(1_000);
        await discovery.register({ instance: instanceOf(service, `races${round}`), ttl, liveness });
        await discovery.register({ instance: instanceOf(service, `expires${round}`), ttl });
        await new Promise((resolve) => setTimeout(resolve, 900 * (round / ROUNDS)));
        const unregister = (instanceId: string) =>
          at(round + 1).discovery.unregister({ service, instanceId });
        expect(await unregister(`leaves${round}`)).toMatchObject({ unregistered: true });
        return (await unregister(`races${round}`)).unregistered;
      }),
    );
    for (const watcher of watchers) {
      await eventually(() => expect(watcher.told.length).toBe(6 * ROUNDS), PATIENCE_MS);
      for (const round of rounds) {
        expect(watcher.of(`expires${round}`)).toEqual(['REGISTERED', 'EXPIRED']);
        expect(watcher.of(`leaves${round}`)).toEqual(['REGISTERED', 'UNREGISTERED']);
        // One end, and a lease that ended in the moment between may be taken for its cause.
        const possible = unregistered[round] === true ? ['UNREGISTERED', 'EXPIRED'] : ['EXPIRED'];
        const [registered, end = '', ...more] = watcher.of(`races${round}`);
        expect([registered, possible.includes(end), more]).toEqual(['REGISTERED', true, []]);
      }
      await watcher[Symbol.asyncDispose]();
    }
  });

  it('say that a stream ended, fifty times', async () => {
    const service = serviceOf();
    const watchers = await Promise.all(clients.map(({ discovery }) => watchReasons(discovery, service)));
    for (let round = 0; round < ROUNDS; round++) {
      const controller = new AbortController();
      const instance = instanceOf(service, `i${round}`);
      const request = { instance, ttl: duration(2_000) };
      const { discovery } = at(round);
      await using stream = collect(discovery.attach(request, { signal: controller.signal }), controller);
      await stream.find(() => true);
    }
    for (const watcher of watchers) {
      await eventually(() => expect(watcher.told.length).toBe(2 * ROUNDS));
      for (let round = 0; round < ROUNDS; round++)
        expect(watcher.of(`i${round}`)).toEqual(['REGISTERED', 'UNREGISTERED']);
      await watcher[Symbol.asyncDispose]();
    }
  });

  it('say that heartbeats stopped, after many times to live of them', async () => {
    const service = serviceOf();
    await using watcher = await watchReasons(at(0).discovery, service);
    const name = { service, instanceId: 'a' };
    const ttl = duration(5_000);
    await at(1).discovery.register({ instance: instanceOf(service, 'a'), ttl });
    const untilMs = performance.now() + 15_000;
    let lastMs = 0;
    for (let beat = 0; performance.now() < untilMs; beat++) {
      // Before it is sent: so it lives for its whole time to live after this, however late the answer comes.
      lastMs = performance.now();
      await at(beat).discovery.heartbeat(name);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(watcher.told).toEqual(['REGISTERED a']);
    const expiredMs = await watcher.heard('EXPIRED a');
    expect(expiredMs - lastMs).toBeGreaterThan(4_500);
    for (const { discovery } of clients)
      expect(await failureOf(discovery.heartbeat(name))).toMatchObject({ reason: 'INSTANCE_NOT_FOUND' });
  });

  it('of an instance that is unregistered here are followed by no heartbeat there', async () => {
    const service = serviceOf();
    await Promise.all(clients.map(({ discovery }) => discovery.discover({ service })));
    for (let round = 0; round < ROUNDS; round++) {
      const name = { service, instanceId: `i${round}` };
      await at(round).discovery.register({ instance: instanceOf(service, name.instanceId) });
      await at(round + 1).discovery.heartbeat(name);
      await at(round).discovery.unregister(name);
      const late = await failureOf(at(round + 1).discovery.heartbeat(name));
      expect(late).toMatchObject({ code: 'NotFound', reason: 'INSTANCE_NOT_FOUND' });
    }
  });
});
