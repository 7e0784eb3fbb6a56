import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failureOf } from '../../support/failure-of.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { runConcord } from '../../support/run-concord.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { type CampaignStream, openCampaign, openCandidate, openLeader } from './campaign-stream.ts';

const TTL = { seconds: 600n };
const GRACE = { seconds: 300n };
const TIMEOUT_MS = 180_000;
const RACES = 20;

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

/** A leader, and some that wait, in order. */
interface Field extends AsyncDisposable {
  readonly leader: CampaignStream;
  readonly waiting: readonly CampaignStream[];
}

async function openField(name: string, count: number): Promise<Field> {
  const leader = await openLeader(here, { name, ttl: TTL });
  const waiting: CampaignStream[] = [];
  for (let i = 0; i < count; i++)
    waiting.push(await openCandidate(i % 2 === 0 ? there : here, { name, ttl: TTL }));
  return {
    leader,
    waiting,
    async [Symbol.asyncDispose]() {
      for (const campaign of [leader, ...waiting]) await campaign[Symbol.asyncDispose]();
    },
  };
}

function at(campaigns: readonly CampaignStream[], index: number): CampaignStream {
  const campaign = campaigns[index];
  if (campaign === undefined) throw new Error(`there is no campaign ${index}`);
  return campaign;
}

function transfer(name: string, from: CampaignStream, to: CampaignStream) {
  const [{ termToken }, { leaseId }] = [from.last, to.last];
  return here.elections.transfer({ name, termToken, leaseId });
}

describe('a transfer', () => {
  it('to a candidate in the middle keeps the order of the others', async () => {
    const name = randomUUID();
    await using field = await openField(name, 4);
    const { leader, waiting } = field;
    await transfer(name, leader, at(waiting, 2));
    await leader.isLost();
    await at(waiting, 2).leads();
    await at(waiting, 3).waitsAt(2);
    expect(waiting.map(({ course }) => course.join(', '))).toEqual([
      'CANDIDATE 0',
      'CANDIDATE 1',
      'CANDIDATE 2, LEADER',
      'CANDIDATE 3, CANDIDATE 2',
    ]);
    await at(waiting, 2)[Symbol.asyncDispose]();
    await at(waiting, 0).leads();
    await at(waiting, 1).waitsAt(0);
  });

  it('may be followed by others, back and forth', async () => {
    const name = randomUUID();
    await using field = await openField(name, 4);
    let { leader } = field;
    const tokens = [leader.last.termToken];
    for (const index of [3, 1, 0, 2]) {
      const next = at(field.waiting, index);
      await transfer(name, leader, next);
      await leader.isLost();
      tokens.push((await next.leads()).termToken);
      leader = next;
    }
    expect(tokens).toEqual(tokens.toSorted((a, b) => (a < b ? -1 : 1)));
    await leader[Symbol.asyncDispose]();
  });

  it('is made to one of two that are asked for at once: the other finds that the term is over', async () => {
    for (let race = 0; race < RACES; race++) {
      const name = randomUUID();
      await using field = await openField(name, 2);
      const { leader, waiting } = field;
      const results = await Promise.allSettled(waiting.map((to) => transfer(name, leader, to)));
      const won = results.findIndex(({ status }) => status === 'fulfilled');
      const lost = results[1 - won];
      if (lost?.status !== 'rejected') throw new Error('both were made');
      expect(await failureOf(Promise.reject(lost.reason))).toMatchObject({ reason: 'NOT_LEADER' });
      await at(waiting, won).leads();
      expect(at(waiting, 1 - won).course.at(-1)).toMatch(/^CANDIDATE/);
    }
  });

  it(
    'to a candidate that leaves at the same time has somebody lead, in order',
    async () => {
      for (let race = 0; race < RACES; race++) {
        const name = randomUUID();
        await using field = await openField(name, 3);
        const { leader, waiting } = field;
        const chosen = at(waiting, 1);
        const made = transfer(name, leader, chosen).then(
          () => true,
          async (error: unknown) => {
            expect(await failureOf(Promise.reject(error))).toMatchObject({ reason: 'CANDIDATE_NOT_FOUND' });
            return false;
          },
        );
        await Promise.all([chosen[Symbol.asyncDispose](), made]);
        if (await made) await at(waiting, 0).leads();
        else expect((await here.elections.leader({ name })).leader?.termToken).toBe(leader.last.termToken);
        expect(at(waiting, 2).course.at(-1)).toMatch(/^CANDIDATE/);
      }
    },
    TIMEOUT_MS,
  );

  it('to one that may still come back has it lead when it does, and nobody before', async () => {
    const name = randomUUID();
    await using field = await openField(name, 1);
    await using away = await openCandidate(there, { name, ttl: TTL, grace: GRACE });
    await away[Symbol.asyncDispose]();
    const { revision } = await transfer(name, field.leader, away);
    expect(await failureOf(here.elections.leader({ name, minRevision: revision }))).toMatchObject({
      reason: 'NO_LEADER',
    });
    await using back = openCampaign(here, { name, resumeToken: away.last.resumeToken });
    await back.leads();
    expect(at(field.waiting, 0).course).toEqual(['CANDIDATE 0']);
  });

  it('to one whose lease ends before it leads has the next in order lead', async () => {
    const name = randomUUID();
    await using field = await openField(name, 2);
    await using away = await openCandidate(there, { name, ttl: TTL, grace: GRACE });
    await away[Symbol.asyncDispose]();
    await transfer(name, field.leader, away);
    await here.leases.revoke({ leaseId: away.last.leaseId });
    await at(field.waiting, 0).leads();
    await at(field.waiting, 1).waitsAt(0);
  });

  it(
    'to one whose gateway is killed has the next in order lead after its time to live',
    async () => {
      await using killed = await runConcord({ env: { ETCD_ENDPOINTS: etcd.endpoint } });
      const name = randomUUID();
      await using field = await openField(name, 1);
      await using gone = await openCandidate(openClients(killed.url), { name, ttl: { seconds: 3n } });
      killed.signal('SIGKILL');
      await killed.exited;
      await transfer(name, field.leader, gone).catch(() => {});
      await at(field.waiting, 0).leads();
    },
    TIMEOUT_MS,
  );
});
