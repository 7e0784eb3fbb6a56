import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ObserveResponse_Kind as Kind } from '../../../gen/concord/election/v1/election_service_pb.ts';
import { compact, HUB_WATCHES } from '../../support/etcd-watch-metrics.ts';
import { eventually } from '../../support/eventually.ts';
import { startFaultProxy } from '../../support/fault-proxy.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { openCandidate, openLeader } from './campaign-stream.ts';
import { openObserve } from './observe-stream.ts';

const TTL = { seconds: 600n };
const TIMEOUT_MS = 180_000;

let etcd: TestEtcd;
let gateways: readonly TestGateway[];
let here: Clients;
let there: Clients;

beforeAll(async () => {
  etcd = await startEtcd();
  gateways = [await startGateway([etcd.endpoint]), await startGateway([etcd.endpoint])];
  const [one, other] = gateways.map(({ url }) => openClients(url));
  if (one === undefined || other === undefined) throw new Error('there are no gateways');
  [here, there] = [one, other];
});

afterAll(async () => {
  for (const gateway of gateways ?? []) await gateway[Symbol.asyncDispose]();
  await etcd?.stop();
});

/** Has a few lead in turn, with proclamations; returns what an observer is to be told after VACANT. */
async function changeOften(name: string, clients: Clients): Promise<readonly string[]> {
  const expected: string[] = [];
  for (let i = 0; i < 5; i++) {
    const leader = await openLeader(clients, { name, value: `leader ${i}`, ttl: TTL });
    const { termToken } = leader.last;
    expected.push(`${termToken} leader ${i}`);
    for (const value of ['a', 'a', 'b']) {
      await clients.elections.proclaim({ name, termToken, value });
      expected.push(`${termToken} ${value}`);
    }
    if (i % 2 === 0) await clients.elections.resign({ name, termToken });
    await leader[Symbol.asyncDispose]();
    expected.push('VACANT');
  }
  return expected;
}

describe('observers of an election', () => {
  it('are told at once that nobody leads, and then every change, once and in order', async () => {
    const name = randomUUID();
    await using told = await openObserve(here, { name });
    expect(told.messages[0]?.kind).toBe(Kind.VACANT);
    const expected = await changeOften(name, there);
    await eventually(() => expect(told.course).toEqual(['VACANT', ...expected]));
    expect(told.revisions).toEqual(told.revisions.toSorted((a, b) => (a < b ? -1 : 1)));
  });

  it('are told at once who leads', async () => {
    const name = randomUUID();
    await using leader = await openLeader(here, { name, value: 'it', ttl: TTL });
    const { termToken, leaseId } = leader.last;
    await using told = await openObserve(there, { name });
    expect(told.messages[0]).toMatchObject({
      kind: Kind.LEADER,
      leader: { value: 'it', termToken, leaseId },
    });
    await leader[Symbol.asyncDispose]();
    const { revision } = await told.seesNobody();
    expect(revision).toBeGreaterThan(termToken);
  });

  it('are told nothing of those that wait', async () => {
    const name = randomUUID();
    await using leader = await openLeader(here, { name, ttl: TTL });
    await using told = await openObserve(here, { name });
    for (let i = 0; i < 3; i++) {
      const candidate = await openCandidate(there, { name, ttl: TTL });
      await candidate[Symbol.asyncDispose]();
    }
    await here.elections.resign({ name, termToken: leader.last.termToken });
    await told.seesNobody();
    expect(told.course).toEqual([`${leader.last.termToken} `, 'VACANT']);
  });

  it('see the same at two gateways, however many there are', async () => {
    const name = randomUUID();
    const observers = await Promise.all(
      Array.from({ length: 10 }, (_, i) => openObserve(i % 2 === 0 ? here : there, { name })),
    );
    const channels = gateways.map(({ app }) => app.stats().watch.channels);
    expect(channels.every((count) => count <= 1 + HUB_WATCHES)).toBe(true);
    const expected = await changeOften(name, here);
    for (const told of observers) {
      await eventually(() => expect(told.course).toEqual(['VACANT', ...expected]));
      await told[Symbol.asyncDispose]();
    }
  });

  it(
    'are told at their interval that nothing is to be told',
    async () => {
      const name = randomUUID();
      await using told = await openObserve(here, { name, checkpointInterval: { seconds: 1n } });
      await here.kv.put({ key: name, value: 'elsewhere' });
      const { revision } = await here.kv.put({ key: name, value: 'again' });
      await told.find((message) => message.kind === Kind.CHECKPOINT && message.revision >= revision);
      expect(told.course).toEqual(['VACANT']);
    },
    TIMEOUT_MS,
  );
});

describe('an observer whose gateway is cut off from etcd', () => {
  it('misses no change', async () => {
    await using proxy = await startFaultProxy(etcd.port);
    await using gateway = await startGateway([proxy.endpoint]);
    const name = randomUUID();
    await using told = await openObserve(openClients(gateway.url), { name });
    proxy.refuse();
    proxy.cut();
    const expected = await changeOften(name, here);
    proxy.accept();
    await eventually(() => expect(told.course).toEqual(['VACANT', ...expected]), 30_000);
  });

  it.each([
    ['another one leads', true],
    ['nobody leads', false],
  ])(
    'is told what came of the changes that were compacted away meanwhile: %s',
    async (_, isLed) => {
      await using own = await startEtcd();
      await using direct = await startGateway([own.endpoint]);
      await using proxy = await startFaultProxy(own.port);
      await using gateway = await startGateway([proxy.endpoint]);
      const name = randomUUID();
      const clients = openClients(direct.url);
      await using first = await openLeader(clients, { name, value: 'first', ttl: TTL });
      await using told = await openObserve(openClients(gateway.url), { name });
      proxy.refuse();
      proxy.cut();
      await clients.elections.resign({ name, termToken: first.last.termToken });
      await changeOften(name, clients);
      const expected = [`${first.last.termToken} first`];
      if (isLed) {
        const last = await openLeader(clients, { name, value: 'last', ttl: TTL });
        expected.push(`${last.last.termToken} last`);
      } else expected.push('VACANT');
      const { revision } = await clients.kv.put({ key: name, value: '' });
      await compact(own.endpoint, revision);
      proxy.accept();
      await eventually(() => expect(told.course).toEqual(expected), 40_000);
    },
    TIMEOUT_MS,
  );
});
