import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failureOf } from '../../support/failure-of.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { type CampaignStream, openCandidate, openLeader } from './campaign-stream.ts';

const TTL = { seconds: 600n };

let etcd: TestEtcd;
let gateway: TestGateway;
let other: TestGateway;
let here: Clients;
let there: Clients;

beforeAll(async () => {
  etcd = await startEtcd();
  gateway = await startGateway([etcd.endpoint]);
  other = await startGateway([etcd.endpoint]);
  here = openClients(gateway.url);
  there = openClients(other.url);
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await other?.[Symbol.asyncDispose]();
  await etcd?.stop();
});

function fenceOf(election: string, { last }: CampaignStream) {
  return { holder: { case: 'election', value: election }, token: last.termToken } as const;
}

describe('the token of a term as a fence', () => {
  it('lets writes through for as long as the term lasts', async () => {
    const name = randomUUID();
    const key = `fenced/${name}`;
    await using leader = await openLeader(here, { name, ttl: TTL });
    await using next = await openCandidate(there, { name, ttl: TTL });
    const { termToken } = leader.last;
    await here.kv.put({ key, value: 'old', fence: fenceOf(name, leader) });
    await there.elections.transfer({ name, termToken, leaseId: next.last.leaseId });
    await next.leads();
    const stale = fenceOf(name, leader);
    for (const failure of await Promise.all(
      [
        here.kv.put({ key, value: 'stale', fence: stale }),
        there.kv.delete({ key, fence: stale }),
        here.kv.batchPut({ entries: [{ key, value: 'stale' }], fence: stale }),
      ].map(failureOf),
    )) {
      expect(failure).toMatchObject({
        code: 'FailedPrecondition',
        reason: 'FENCE_LOST',
        metadata: { election: name, token: String(termToken) },
      });
    }
    expect((await here.kv.get({ key })).kv?.value).toBe('old');
    await there.kv.put({ key, value: 'new', fence: fenceOf(name, next) });
    expect((await here.kv.get({ key })).kv?.value).toBe('new');
  });

  it('keeps writes out before and after any term, and those of another election', async () => {
    const [name, otherName] = [randomUUID(), randomUUID()];
    const key = `fenced/${name}`;
    await using leader = await openLeader(here, { name, ttl: TTL });
    await using elsewhere = await openLeader(here, { name: otherName, ttl: TTL });
    const wrong = [fenceOf(name, elsewhere), fenceOf(otherName, leader), fenceOf(randomUUID(), leader)];
    for (const fence of wrong)
      expect(await failureOf(here.kv.put({ key, value: 'x', fence }))).toMatchObject({
        reason: 'FENCE_LOST',
      });
    const own = fenceOf(name, leader);
    await here.elections.proclaim({ name, termToken: leader.last.termToken, value: 'still the same term' });
    await here.kv.put({ key, value: 'x', fence: own });
    await here.elections.resign({ name, termToken: leader.last.termToken });
    expect(await failureOf(here.kv.put({ key, value: 'y', fence: own }))).toMatchObject({
      reason: 'FENCE_LOST',
    });
  });
});
