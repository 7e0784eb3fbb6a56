import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CampaignResponse_State as State } from '../../../gen/concord/election/v1/election_service_pb.ts';
import { type Etcd, openEtcd } from '../../../src/etcd/open-etcd.ts';
import { eventually } from '../../support/eventually.ts';
import { type FaultProxy, startFaultProxy } from '../../support/fault-proxy.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { openCampaign, openCandidate, openLeader } from './campaign-stream.ts';
import { deleteLeader } from './leader-key.ts';

const TTL = { seconds: 600n };
const SHORT_TTL = { seconds: 3n };
const LATENCY_MS = 500;
const TIMEOUT_MS = 120_000;

let etcd: TestEtcd;
let direct: Etcd;
let gateway: TestGateway;
let clients: Clients;

beforeAll(async () => {
  etcd = await startEtcd();
  direct = openEtcd({ endpoints: [etcd.endpoint] });
  gateway = await startGateway([etcd.endpoint]);
  clients = openClients(gateway.url);
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await direct?.[Symbol.asyncDispose]();
  await etcd?.stop();
});

/** A gateway that reaches etcd through a proxy. */
async function startBehindProxy(): Promise<
  AsyncDisposable & { readonly proxy: FaultProxy; readonly clients: Clients }
> {
  const proxy = await startFaultProxy(etcd.port);
  const behind = await startGateway([proxy.endpoint]);
  return {
    proxy,
    clients: openClients(behind.url),
    async [Symbol.asyncDispose]() {
      proxy.unstall();
      proxy.accept();
      proxy.delay(0);
      await behind[Symbol.asyncDispose]();
      await proxy[Symbol.asyncDispose]();
    },
  };
}

describe.concurrent('a campaign whose gateway does not reach etcd', { timeout: TIMEOUT_MS }, () => {
  it('is told that it is lost before another one leads', async () => {
    await using behind = await startBehindProxy();
    const name = randomUUID();
    await using leader = await openLeader(behind.clients, { name, ttl: SHORT_TTL });
    await using next = await openCandidate(clients, { name, ttl: TTL });
    const order: string[] = [];
    const lost = leader.find(({ state }) => state === State.LOST).then(() => order.push('lost'));
    const led = next.leads().then(() => order.push('led'));
    behind.proxy.stall(['toClient', 'toServer']);
    await Promise.all([lost, led]);
    expect(order).toEqual(['lost', 'led']);
    await leader.isLost();
  });

  it('is lost, and not failed, where it can neither take its turn nor renew its lease', async () => {
    await using behind = await startBehindProxy();
    const name = randomUUID();
    behind.proxy.delay(LATENCY_MS);
    await using first = await openCandidate(behind.clients, { name, ttl: { seconds: 10n } });
    // What takes the turn is under way, and stays so.
    behind.proxy.stall(['toServer']);
    await using second = await openCandidate(clients, { name, ttl: TTL });
    await first.isLost();
    expect(first.course).toEqual(['CANDIDATE 0', 'LOST']);
    await second.leads();
  });

  it('goes on where etcd is back in time', async () => {
    await using behind = await startBehindProxy();
    const name = randomUUID();
    await using leader = await openLeader(behind.clients, { name, ttl: { seconds: 30n } });
    await using next = await openCandidate(clients, { name, ttl: TTL });
    for (let i = 0; i < 5; i++) {
      behind.proxy.refuse();
      behind.proxy.cut();
      behind.proxy.accept();
    }
    await leader.goesOn(1);
    expect(leader.course.at(-1)).toBe('LEADER');
    await leader[Symbol.asyncDispose]();
    await next.leads();
  });

  it('takes its turn once etcd is back', async () => {
    await using behind = await startBehindProxy();
    const name = randomUUID();
    await using leader = await openLeader(clients, { name, ttl: TTL });
    await using next = await openCandidate(behind.clients, { name, ttl: TTL });
    behind.proxy.refuse();
    behind.proxy.cut();
    await clients.elections.resign({ name, termToken: leader.last.termToken });
    behind.proxy.accept();
    expect((await next.leads()).termToken).toBeGreaterThan(leader.last.termToken);
  });
});

describe('a campaign that hears late of what happens', { timeout: TIMEOUT_MS }, () => {
  it('is not told that it leads when its term is over already', async () => {
    await using behind = await startBehindProxy();
    const name = randomUUID();
    behind.proxy.delay(LATENCY_MS);
    await using late = await openCandidate(behind.clients, { name, ttl: TTL });
    await eventually(() => clients.elections.leader({ name }));
    await deleteLeader(direct.store, name);
    await late.isLost();
    expect(late.course).toEqual(['CANDIDATE 0', 'LOST']);
  });

  it('leads all the same where its term goes on', async () => {
    await using behind = await startBehindProxy();
    const name = randomUUID();
    behind.proxy.delay(LATENCY_MS / 10);
    await using late = openCampaign(behind.clients, { name, ttl: TTL });
    const { termToken } = await late.leads();
    expect((await clients.elections.leader({ name })).leader?.termToken).toBe(termToken);
  });
});
