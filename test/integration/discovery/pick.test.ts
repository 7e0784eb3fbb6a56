import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Strategy } from '../../../gen/concord/discovery/v1/discovery_service_pb.ts';
import { Status } from '../../../gen/concord/discovery/v1/instance_pb.ts';
import { Consistency } from '../../../gen/concord/kv/v1/reading_pb.ts';
import { failureOf } from '../../support/failure-of.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { PROTOCOLS } from '../../support/protocols.ts';
import { startGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { CHI_SQUARE_LIMITS, chiSquare } from '../../unit/discovery/chi-square.ts';
import { serviceName } from './stored-instances.ts';

const DRAWS = 2_000;
const AT_ONCE = 50;
const TIMEOUT_MS = 120_000;

let gateway: Awaited<ReturnType<typeof startGatewayOnEtcd>>;
let clients: Clients;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
  clients = openClients(gateway.url);
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

type Described = { readonly weight?: number; readonly zone?: string; readonly status?: Status };

/** Registers `i0` and so on. */
async function registerAll(described: readonly Described[]): Promise<string> {
  const service = serviceName();
  for (const [i, each] of described.entries()) {
    const instance = { service, instanceId: `i${i}`, host: 'h', port: 1, ...each };
    const { revision } = await clients.discovery.register({ instance });
    // What is picked from memory is as new as this from here on.
    await clients.discovery.discover({ service, minRevision: revision });
  }
  return service;
}

type PickRequest = Parameters<Clients['discovery']['pick']>[0];

async function pickId(request: PickRequest, { discovery } = clients): Promise<string> {
  const { instance } = await discovery.pick({ consistency: Consistency.SERIALIZABLE, ...request });
  return instance?.instanceId ?? '';
}

/** Picks `total` times, and says how often `i0` and so on came. */
async function counted(n: number, total: number, requestOf: (i: number) => PickRequest): Promise<number[]> {
  const counts = Array.from({ length: n }, () => 0);
  for (let done = 0; done < total; done += AT_ONCE) {
    const ids = await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => pickId(requestOf(done + i))));
    for (const id of ids) {
      const i = Number(id.slice(1));
      counts[i] = (counts[i] ?? 0) + 1;
    }
  }
  return counts;
}

describe('Pick', () => {
  it('takes the first', async () => {
    const service = await registerAll([{}, {}, {}]);
    expect(await counted(3, AT_ONCE, () => ({ service, strategy: Strategy.FIRST }))).toEqual([AT_ONCE, 0, 0]);
  });

  it.each([
    ['nothing is said', undefined],
    ['it is said', Strategy.RANDOM],
  ])('takes any at random where %s', { timeout: TIMEOUT_MS }, async (_, strategy) => {
    const service = await registerAll([{ weight: 0 }, {}, { weight: 9 }]);
    const counts = await counted(3, DRAWS, () =>
      strategy === undefined ? { service } : { service, strategy },
    );
    expect(chiSquare(counts, [DRAWS / 3, DRAWS / 3, DRAWS / 3])).toBeLessThan(CHI_SQUARE_LIMITS[2]);
  });

  it('takes each as often as its weight says', { timeout: TIMEOUT_MS }, async () => {
    const service = await registerAll([{ weight: 1 }, {}, { weight: 2 }, { weight: 6 }, { weight: 10 }]);
    const expected = [1, 1, 2, 6, 10].map((weight) => (DRAWS * weight) / 20);
    const counts = await counted(5, DRAWS, () => ({ service, strategy: Strategy.WEIGHTED }));
    expect(chiSquare(counts, expected)).toBeLessThan(CHI_SQUARE_LIMITS[4]);
  });

  it('takes none of weight 0 by weight', async () => {
    const service = await registerAll([{ weight: 0 }, { weight: 1 }]);
    expect(await counted(2, AT_ONCE, () => ({ service, strategy: Strategy.WEIGHTED }))).toEqual([0, AT_ONCE]);
  });

  it('takes one after the other, counted by each gateway and for each service', async () => {
    await using second = await startGateway([gateway.etcd.endpoint]);
    const there = openClients(second.url);
    const [a, b] = [await registerAll([{}, {}, {}]), await registerAll([{}, {}])];
    const next = (service: string, from = clients) =>
      pickId({ service, strategy: Strategy.ROUND_ROBIN, consistency: Consistency.LINEARIZABLE }, from);
    const seen: string[] = [];
    for (let i = 0; i < 6; i++) seen.push(await next(a));
    expect(seen).toEqual(['i0', 'i1', 'i2', 'i0', 'i1', 'i2']);
    expect([await next(b), await next(a, there), await next(b), await next(a)]).toEqual([
      'i0',
      'i0',
      'i1',
      'i0',
    ]);
  });

  it('moves only the keys of the one that leaves', { timeout: TIMEOUT_MS }, async () => {
    const service = await registerAll(Array.from({ length: 8 }, () => ({})));
    const keys = Array.from({ length: 400 }, (_, i) => `user-${i}`);
    const owners = () =>
      Promise.all(keys.map((hashKey) => pickId({ service, strategy: Strategy.HASH, hashKey })));
    const before = await owners();
    const { revision } = await clients.discovery.unregister({ service, instanceId: 'i3' });
    await clients.discovery.discover({ service, minRevision: revision });
    const after = await owners();
    const moved = before.filter((owner, i) => owner !== after[i]);
    expect(new Set(moved)).toEqual(new Set(['i3']));
    expect(moved.length).toBeGreaterThan(20);
    expect(moved.length).toBeLessThan(100);
    // Another gateway says the same.
    await using second = await startGateway([gateway.etcd.endpoint]);
    const there = openClients(second.url);
    const others = keys
      .slice(0, 20)
      .map((hashKey) => pickId({ service, strategy: Strategy.HASH, hashKey }, there));
    expect(await Promise.all(others)).toEqual(after.slice(0, 20));
  });

  it('stays in the zone, and leaves it where it has nobody who is up', { timeout: TIMEOUT_MS }, async () => {
    const service = await registerAll([
      { zone: 'near', weight: 1 },
      { zone: 'near', weight: 3 },
      { zone: 'far' },
      { zone: 'down', status: Status.DOWN },
    ]);
    const request = (zone: string) => ({ service, strategy: Strategy.ZONE_FIRST, zone });
    const [light = 0, heavy = 0, ...others] = await counted(4, DRAWS, () => request('near'));
    expect(others).toEqual([0, 0]);
    expect(chiSquare([light, heavy], [DRAWS / 4, (DRAWS * 3) / 4])).toBeLessThan(CHI_SQUARE_LIMITS[1]);
    for (const zone of ['down', 'nowhere', '']) {
      const [first = 0, second = 0, third = 0, down] = await counted(4, 4 * AT_ONCE, () => request(zone));
      expect(Math.min(first, second, third), zone).toBeGreaterThan(0);
      expect(down).toBe(0);
    }
  });

  it('takes only who is up and passes the filter', async () => {
    const { UP, DOWN, DRAINING, STARTING } = Status;
    const service = await registerAll([DOWN, DRAINING, STARTING, UP, UP].map((status) => ({ status })));
    const filter = { expression: 'instance_id != "i3"' };
    for (const strategy of [1, 2, 3, 4, 5, 6] as Strategy[])
      expect(await pickId({ service, strategy, filter, hashKey: 'k' }), `${strategy}`).toBe('i4');
    const none = clients.discovery.pick({ service, filter: { statuses: [DOWN] } });
    expect(await failureOf(none)).toMatchObject({ reason: 'INSTANCE_NOT_FOUND', metadata: { service } });
  });
});

describe.each(PROTOCOLS)('Pick over $name', ({ open }) => {
  it('answers with every strategy', async () => {
    const own = openClients(gateway.url, open(gateway.url));
    const service = await registerAll([{}]);
    for (const strategy of [0, 1, 2, 3, 4, 5, 6] as Strategy[])
      expect(await pickId({ service, strategy, hashKey: 'k', zone: 'z' }, own)).toBe('i0');
    expect(await failureOf(pickId({ service: serviceName() }, own))).toMatchObject({
      code: 'NotFound',
      reason: 'INSTANCE_NOT_FOUND',
      message: expect.stringContaining('WaitFor'),
    });
  });
});
