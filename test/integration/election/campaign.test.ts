import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Etcd, openEtcd } from '../../../src/etcd/open-etcd.ts';
import { HUB_WATCHES } from '../../support/etcd-watch-metrics.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { type CampaignStream, openCandidate, openLeader } from './campaign-stream.ts';
import { deleteLeader, readLeader } from './leader-key.ts';

const TTL = { seconds: 600n };
const SHORT_TTL = { seconds: 2n };
const TIMEOUT_MS = 180_000;
const CROWD = 500;

let etcd: TestEtcd;
let direct: Etcd;
let gateways: readonly TestGateway[];
let here: Clients;
let there: Clients;

beforeAll(async () => {
  etcd = await startEtcd();
  direct = openEtcd({ endpoints: [etcd.endpoint] });
  gateways = [await startGateway([etcd.endpoint]), await startGateway([etcd.endpoint])];
  const [one, other] = gateways.map(({ url }) => openClients(url));
  if (one === undefined || other === undefined) throw new Error('there are no gateways');
  [here, there] = [one, other];
});

afterAll(async () => {
  for (const gateway of gateways ?? []) await gateway[Symbol.asyncDispose]();
  await direct?.[Symbol.asyncDispose]();
  await etcd?.stop();
});

/** Opens as many campaigns as that, one after the other, at one gateway and the other in turn. */
async function openInOrder(name: string, count: number): Promise<readonly CampaignStream[]> {
  const campaigns: CampaignStream[] = [];
  for (let i = 0; i < count; i++)
    campaigns.push(await openCandidate(i % 2 === 0 ? here : there, { name, value: String(i), ttl: TTL }));
  await campaigns[0]?.leads();
  return campaigns;
}

function at(campaigns: readonly CampaignStream[], index: number): CampaignStream {
  const campaign = campaigns[index];
  if (campaign === undefined) throw new Error(`there is no campaign ${index}`);
  return campaign;
}

describe('a campaign', () => {
  it('waits in the order in which candidates came, and leads in it, whichever gateway they are at', async () => {
    const campaigns = await openInOrder(randomUUID(), 5);
    for (const campaign of campaigns) {
      await campaign.leads();
      await campaign[Symbol.asyncDispose]();
    }
    const courses = campaigns.map(({ course }) => course.join(', '));
    // The first may be told its place before it leads, or not.
    expect(courses[0]).toMatch(/^(CANDIDATE 0, )?LEADER$/);
    expect(courses.slice(1)).toEqual([
      'CANDIDATE 0, LEADER',
      'CANDIDATE 1, CANDIDATE 0, LEADER',
      'CANDIDATE 2, CANDIDATE 1, CANDIDATE 0, LEADER',
      'CANDIDATE 3, CANDIDATE 2, CANDIDATE 1, CANDIDATE 0, LEADER',
    ]);
    const tokens = campaigns.map(({ last }) => last.termToken);
    expect(tokens).toEqual(tokens.toSorted((a, b) => (a < b ? -1 : 1)));
    expect(new Set(tokens).size).toBe(5);
  });

  it('moves up when one that stood before it leaves, and only then', async () => {
    const campaigns = await openInOrder(randomUUID(), 4);
    await at(campaigns, 2)[Symbol.asyncDispose]();
    await at(campaigns, 3).waitsAt(1);
    expect(at(campaigns, 3).course).toEqual(['CANDIDATE 2', 'CANDIDATE 1']);
    expect(at(campaigns, 1).course).toEqual(['CANDIDATE 0']);
    for (const campaign of campaigns) await campaign[Symbol.asyncDispose]();
  });

  it('says all that is so with each message', async () => {
    const name = randomUUID();
    await using leader = await openLeader(here, { name, ttl: TTL });
    await using candidate = await openCandidate(there, { name, ttl: TTL });
    expect(candidate.last).toMatchObject({
      position: 0,
      termToken: 0n,
      leaseId: expect.any(BigInt),
      resumeToken: expect.stringMatching(/./),
    });
    const { termToken, revision, leaseId } = leader.last;
    expect(revision).toBeGreaterThanOrEqual(termToken);
    const kv = await readLeader(direct.store, name);
    expect(kv).toMatchObject({ createRevision: termToken, leaseId });
  });

  it(
    'is told again after each renewal, with a later end, while it waits and while it leads',
    async () => {
      const name = randomUUID();
      await using leader = await openLeader(here, { name, ttl: SHORT_TTL });
      await using candidate = await openCandidate(there, { name, ttl: SHORT_TTL });
      for (const campaign of [leader, candidate]) {
        await campaign.goesOn(6);
        const times = campaign.expireTimesMs;
        // One end, told twice, may differ by the rounding of two clocks.
        for (const [i, time] of times.entries()) expect(time).toBeGreaterThan((times[i - 1] ?? 0) - 10);
        expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(1_000);
      }
      const tokens = leader.messages.flatMap(({ termToken }) => (termToken === 0n ? [] : termToken));
      expect(new Set(tokens).size).toBe(1);
      expect(candidate.course).toEqual(['CANDIDATE 0']);
    },
    TIMEOUT_MS,
  );

  it.each([
    [
      'it resigns',
      async (name: string, { last }: CampaignStream) => {
        await there.elections.resign({ name, termToken: last.termToken });
      },
    ],
    [
      'it transfers the leadership',
      async (name: string, { last }: CampaignStream) => {
        const { candidates } = await there.elections.listCandidates({ name });
        const leaseId = candidates[0]?.leaseId ?? 0n;
        await there.elections.transfer({ name, termToken: last.termToken, leaseId });
      },
    ],
    [
      'its lease is revoked',
      async (_: string, { last }: CampaignStream) => {
        await there.leases.revoke({ leaseId: last.leaseId });
      },
    ],
    [
      'somebody deletes its key',
      async (name: string) => {
        await deleteLeader(direct.store, name);
      },
    ],
  ])('is lost when %s, and the next one leads', async (_, end) => {
    const name = randomUUID();
    await using leader = await openLeader(here, { name, ttl: TTL });
    await using next = await openCandidate(there, { name, ttl: TTL });
    const { termToken, leaseId } = leader.last;
    await end(name, leader);
    await leader.isLost();
    expect((await next.leads()).termToken).toBeGreaterThan(termToken);
    await eventually(async () => {
      expect(await failureOf(here.leases.get({ leaseId }))).toMatchObject({ reason: 'LEASE_NOT_FOUND' });
    });
  });

  it('is lost while it waits when its lease is revoked', async () => {
    const name = randomUUID();
    await using leader = await openLeader(here, { name, ttl: TTL });
    await using candidate = await openCandidate(there, { name, ttl: TTL });
    await here.leases.revoke({ leaseId: candidate.last.leaseId });
    await candidate.isLost();
    expect(candidate.course).toEqual(['CANDIDATE 0', 'LOST']);
    expect(leader.end).toBeUndefined();
  });

  it('leaves nothing behind when it ends', async () => {
    const name = randomUUID();
    const sessions = () => gateways.map(({ app }) => app.stats().sessions);
    await eventually(() => expect(sessions()).toEqual([0, 0]));
    const campaigns = await openInOrder(name, 6);
    expect(sessions()).toEqual([3, 3]);
    await Promise.all(campaigns.map((campaign) => campaign[Symbol.asyncDispose]()));
    await eventually(async () => {
      expect(sessions()).toEqual([0, 0]);
      expect(await here.elections.listCandidates({ name })).toMatchObject({ candidateCount: 0 });
      expect(await readLeader(direct.store, name)).toBeUndefined();
      for (const { app } of gateways) expect(app.stats().watch).toMatchObject({ subscriptions: HUB_WATCHES });
    });
    for (const { last } of campaigns)
      expect(await failureOf(here.leases.get({ leaseId: last.leaseId }))).toMatchObject({
        reason: 'LEASE_NOT_FOUND',
      });
  });

  it('may lead many elections, and stand in one many times', async () => {
    const names = Array.from({ length: 30 }, () => randomUUID());
    const leaders = await Promise.all(names.map((name) => openLeader(here, { name, ttl: TTL })));
    const [name = ''] = names;
    const more = await Promise.all(
      Array.from({ length: 20 }, (_, i) => openCandidate(i % 2 ? here : there, { name, ttl: TTL })),
    );
    const listed = await here.elections.listCandidates({ name });
    expect(listed.candidates.map(({ position }) => position)).toEqual(more.map((_, i) => i));
    await eventually(() => {
      expect(more.map(({ last }) => last.position).toSorted((a, b) => a - b)).toEqual(more.map((_, i) => i));
    });
    for (const campaign of [...more, ...leaders]) await campaign[Symbol.asyncDispose]();
  });

  it(
    'is one of many at a gateway, which follows the election once for all of them',
    async () => {
      const name = randomUUID();
      const subscriptions = () => gateways[0]?.app.stats().watch.subscriptions;
      await eventually(() => expect(subscriptions()).toBe(HUB_WATCHES));
      await using leader = await openLeader(here, { name, ttl: TTL });
      const campaigns = await Promise.all(
        Array.from({ length: CROWD }, () => openCandidate(here, { name, ttl: TTL })),
      );
      expect(subscriptions()).toBe(1 + HUB_WATCHES);
      await here.elections.resign({ name, termToken: leader.last.termToken });
      const places = () => campaigns.map(({ last }) => last.position).toSorted((a, b) => a - b);
      await eventually(() => {
        expect(campaigns.filter(({ last }) => last.termToken > 0n)).toHaveLength(1);
        expect(places()).toEqual([0, ...Array.from({ length: CROWD - 1 }, (_, i) => i)]);
      }, 40_000);
      await Promise.all(campaigns.map((campaign) => campaign[Symbol.asyncDispose]()));
      await eventually(() => expect(subscriptions()).toBe(HUB_WATCHES));
    },
    TIMEOUT_MS,
  );
});
