import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Strategy } from '../../../gen/concord/discovery/v1/discovery_service_pb.ts';
import { Consistency } from '../../../gen/concord/kv/v1/reading_pb.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { serviceName } from './stored-instances.ts';

const ROUNDS = 200;
const READS = 1_000;
const AT_ONCE = 50;
const TIMEOUT_MS = 120_000;
const SERIALIZABLE = Consistency.SERIALIZABLE;
const FUTURE = 2n ** 62n;

let etcd: TestEtcd;
let gateways: readonly TestGateway[];
let here: Clients;
let there: Clients;

beforeAll(async () => {
  etcd = await startEtcd();
  gateways = [await startGateway([etcd.endpoint]), await startGateway([etcd.endpoint])];
  const [a, b] = gateways.map(({ url }) => openClients(url));
  if (a === undefined || b === undefined) throw new Error('there are two gateways');
  [here, there] = [a, b];
});

afterAll(async () => {
  for (const gateway of gateways ?? []) await gateway[Symbol.asyncDispose]();
  await etcd?.stop();
});

type Freshness = { readonly minRevision?: bigint; readonly consistency?: Consistency };

/** What each read says of an instance `a` of a service: in which zone it is, '' where it is not found. */
async function zonesSeen({ discovery }: Clients, service: string, freshness: Freshness): Promise<string[]> {
  const name = { service, instanceId: 'a' };
  const found = await Promise.all([
    discovery.discover({ service, ...freshness }).then(({ instances }) => instances[0]),
    discovery.pick({ service, strategy: Strategy.FIRST, ...freshness }).then(({ instance }) => instance),
    discovery.getInstance({ ...name, ...freshness }).then(({ instance }) => instance),
  ]);
  return found.map((instance) => instance?.zone ?? '');
}

/** The reads and transactions that etcd has begun; each gateway itself asks once a second whether etcd is there. */
async function readsBegun(): Promise<number> {
  const text = await (await fetch(`${etcd.endpoint}/metrics`)).text();
  const counts = text.matchAll(/^grpc_server_started_total\{.*grpc_method="(?:Range|Txn)".*\} (\d+)$/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

describe('a linearizable read', () => {
  it('sees what another gateway has just acknowledged', { timeout: TIMEOUT_MS }, async () => {
    const service = serviceName();
    const instance = { service, instanceId: 'a', host: 'h', port: 1 };
    await here.discovery.register({ instance });
    for (let round = 0; round < ROUNDS; round++) {
      const zone = `z${round}`;
      await here.discovery.updateInstance({ instance: { ...instance, zone } });
      expect(await zonesSeen(there, service, {})).toEqual([zone, zone, zone]);
    }
  });

  it('sees who has just come and gone', { timeout: TIMEOUT_MS }, async () => {
    const service = serviceName();
    const instance = { service, instanceId: 'a', host: 'h', port: 1 };
    for (let round = 0; round < ROUNDS / 4; round++) {
      await here.discovery.register({ instance });
      expect((await there.discovery.discover({ service })).instances).toHaveLength(1);
      expect((await there.discovery.listServices({ prefix: service })).services).toHaveLength(1);
      const { revision } = await here.discovery.unregister(instance);
      const gone = await there.discovery.discover({ service });
      expect(gone.instances).toEqual([]);
      expect(gone.revision).toBeGreaterThanOrEqual(revision);
      expect((await there.discovery.listServices({ prefix: service })).services).toEqual([]);
    }
  });

  it('comes to an end while others write without a pause', { timeout: TIMEOUT_MS }, async () => {
    const service = serviceName();
    const end = new AbortController();
    const write = async (name: string): Promise<void> => {
      for (let i = 0; !end.signal.aborted; i++) {
        const instance = { service: name, instanceId: `${i % 5}`, host: 'h', port: 1, zone: `${i}` };
        await here.discovery.register({ instance });
      }
    };
    const writing = [service, service, serviceName()].map(write);
    for (let round = 0; round < ROUNDS / 4; round++) {
      await there.discovery.discover({ service });
      await there.discovery.listServices({});
    }
    end.abort();
    await Promise.all(writing);
  });
});

describe('a read with a minimal revision', () => {
  it('sees that revision, from memory too', { timeout: TIMEOUT_MS }, async () => {
    const service = serviceName();
    const instance = { service, instanceId: 'a', host: 'h', port: 1 };
    for (let round = 0; round < ROUNDS / 4; round++) {
      const zone = `z${round}`;
      const { revision } = await here.discovery.register({ instance: { ...instance, zone } });
      const freshness = { minRevision: revision, consistency: SERIALIZABLE };
      expect(await zonesSeen(there, service, freshness)).toEqual([zone, zone, zone]);
      const listed = await there.discovery.listServices({ prefix: service, ...freshness });
      expect(listed.revision).toBeGreaterThanOrEqual(revision);
      expect(listed.services).toMatchObject([{ name: service }]);
    }
  });

  it.each([Consistency.LINEARIZABLE, SERIALIZABLE])(
    'is refused where the store has not reached it (consistency %i)',
    async (consistency) => {
      const { discovery } = here;
      const service = serviceName();
      await discovery.register({ instance: { service, instanceId: 'a', host: 'h', port: 1 } });
      const freshness = { minRevision: FUTURE, consistency };
      for (const call of [
        () => discovery.discover({ service, ...freshness }),
        () => discovery.pick({ service, ...freshness }),
        () => discovery.getInstance({ service, instanceId: 'a', ...freshness }),
        () => discovery.getInstance({ service, instanceId: 'missing', ...freshness }),
        () => discovery.listServices({ ...freshness }),
        () => discovery.getLossGuard({ service, ...freshness }),
      ]) {
        expect(await failureOf(call())).toMatchObject({
          code: 'OutOfRange',
          reason: 'REVISION_IN_FUTURE',
          metadata: { revision: String(FUTURE) },
        });
      }
    },
  );
});

describe('a serializable read', () => {
  it(`asks etcd nothing, ${READS} times each`, { timeout: TIMEOUT_MS }, async () => {
    const service = serviceName();
    const { discovery } = here;
    const name = { service, instanceId: 'a' };
    const { revision } = await discovery.register({ instance: { ...name, host: 'h', port: 1 } });
    await discovery.discover({ service, minRevision: revision });
    const freshness = { minRevision: revision, consistency: SERIALIZABLE };
    const before = await readsBegun();
    for (let done = 0; done < READS; done += AT_ONCE) {
      await Promise.all(
        Array.from({ length: AT_ONCE }, async () => {
          expect((await discovery.discover({ service, ...freshness })).instances).toHaveLength(1);
          await discovery.pick({ service, ...freshness });
          await discovery.getInstance({ ...name, ...freshness });
          await discovery.listServices(freshness);
        }),
      );
    }
    expect((await readsBegun()) - before).toBeLessThan(READS / 4);
  });

  it('answers while etcd does not', { timeout: TIMEOUT_MS }, async () => {
    await using own = await startEtcd();
    await using gateway = await startGateway([own.endpoint]);
    const clients = openClients(gateway.url);
    const { discovery } = clients;
    const service = serviceName();
    const instance = { service, instanceId: 'a', host: 'h', port: 1, zone: 'z' };
    const { revision } = await discovery.register({ instance, ttl: { seconds: 600n } });
    const freshness = { minRevision: revision, consistency: SERIALIZABLE };
    await zonesSeen(clients, service, freshness);
    own.pause();
    try {
      await eventually(async () => {
        await expect(discovery.discover({ service }, { timeoutMs: 1_000 })).rejects.toThrow();
      });
      expect(await zonesSeen(clients, service, freshness)).toEqual(['z', 'z', 'z']);
      expect((await discovery.listServices(freshness)).services).toMatchObject([{ name: service }]);
      const missing = discovery.getInstance({ service, instanceId: 'b', ...freshness });
      expect(await failureOf(missing)).toMatchObject({ reason: 'INSTANCE_NOT_FOUND' });
    } finally {
      own.resume();
    }
    await eventually(async () => {
      expect((await discovery.discover({ service }, { timeoutMs: 5_000 })).instances).toHaveLength(1);
    }, 30_000);
  });
});
