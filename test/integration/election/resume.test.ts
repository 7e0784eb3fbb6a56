import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { startFaultProxy } from '../../support/fault-proxy.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { runConcord } from '../../support/run-concord.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { type CampaignStream, openCampaign, openCandidate, openLeader } from './campaign-stream.ts';

const TTL = { seconds: 60n };
const GRACE = { seconds: 40n };
const TIMEOUT_MS = 180_000;

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

/** Asserts that a stream goes on with the same term. */
async function expectTerm(back: CampaignStream, { last }: CampaignStream): Promise<void> {
  expect(await back.leads()).toMatchObject({ termToken: last.termToken, leaseId: last.leaseId });
  expect(back.course).toEqual(['LEADER']);
}

async function isCutOff(campaign: CampaignStream): Promise<void> {
  await eventually(() => expect(campaign.end?.error).toBeInstanceOf(Error));
}

describe('a campaign that is resumed', () => {
  it.each(['same', 'other'])('within its grace goes on leading, at the %s gateway', async (where) => {
    const name = randomUUID();
    await using next = await openLeaderAndNext(name);
    const { leader } = next;
    const at = where === 'same' ? here : there;
    const { resumeToken } = leader.last;
    await leader[Symbol.asyncDispose]();
    await using back = openCampaign(at, { name, resumeToken });
    await expectTerm(back, leader);
    await back[Symbol.asyncDispose]();
    // The grace goes with the session, and the first token is as good as the last.
    await using again = openCampaign(here, { name, resumeToken });
    await expectTerm(again, leader);
    expect(next.candidate.course).toEqual(['CANDIDATE 0']);
  });

  it('keeps its place while it waits', async () => {
    const name = randomUUID();
    await using leader = await openLeader(here, { name, ttl: TTL });
    await using first = await openCandidate(here, { name, ttl: TTL, grace: GRACE });
    await using second = await openCandidate(here, { name, ttl: TTL });
    await second.waitsAt(1);
    await first[Symbol.asyncDispose]();
    await using back = openCampaign(there, { name, resumeToken: first.last.resumeToken });
    await back.waitsAt(0);
    await leader[Symbol.asyncDispose]();
    await back.leads();
    expect(back.last.leaseId).toBe(first.last.leaseId);
    await second.waitsAt(0);
    expect(second.course).toEqual(['CANDIDATE 1', 'CANDIDATE 0']);
  });

  it('leads when its turn came while nobody held its stream', async () => {
    const name = randomUUID();
    await using leader = await openLeader(here, { name, ttl: TTL });
    await using first = await openCandidate(here, { name, ttl: TTL, grace: GRACE });
    await first[Symbol.asyncDispose]();
    await leader[Symbol.asyncDispose]();
    await using back = openCampaign(there, { name, resumeToken: first.last.resumeToken });
    expect((await back.leads()).termToken).toBeGreaterThan(leader.last.termToken);
  });

  it('goes on after its connection was cut', async () => {
    await using proxy = await startFaultProxy(gateway.port);
    const name = randomUUID();
    const request = { name, ttl: TTL, grace: GRACE };
    await using leader = await openLeader(openClients(proxy.endpoint), request);
    proxy.cut();
    await isCutOff(leader);
    await using back = openCampaign(here, { name, resumeToken: leader.last.resumeToken });
    await expectTerm(back, leader);
  });

  it(
    'goes on at another gateway when its own is killed, as long as its lease lives',
    async () => {
      await using killed = await runConcord({ env: { ETCD_ENDPOINTS: etcd.endpoint } });
      const name = randomUUID();
      const request = { name, ttl: { seconds: 1n }, grace: { seconds: 30n } };
      await using leader = await openLeader(openClients(killed.url), request);
      await using next = await openCandidate(here, { name, ttl: TTL });
      killed.signal('SIGKILL');
      await killed.exited;
      await isCutOff(leader);
      await using back = openCampaign(there, { name, resumeToken: leader.last.resumeToken });
      await expectTerm(back, leader);
      await back.goesOn(1);
      expect(next.course).toEqual(['CANDIDATE 0']);
    },
    TIMEOUT_MS,
  );

  it.each([true, false])(
    'goes on at another gateway when its own is drained: its stream open %s',
    async (isOpen) => {
      const drained = await startGateway([etcd.endpoint]);
      const name = randomUUID();
      const request = { name, ttl: TTL, grace: { seconds: 2n } };
      await using leader = await openLeader(openClients(drained.url), request);
      await using next = await openCandidate(here, { name, ttl: TTL });
      if (!isOpen) await leader[Symbol.asyncDispose]();
      await drained.app.drain();
      if (isOpen)
        expect(await leader.failure()).toMatchObject({ code: 'Unavailable', reason: 'SHUTTING_DOWN' });
      await using back = openCampaign(there, { name, resumeToken: leader.last.resumeToken });
      await expectTerm(back, leader);
      expect(next.course).toEqual(['CANDIDATE 0']);
    },
    TIMEOUT_MS,
  );

  it.each(['same', 'other'])('ends the stream that it was on, at the %s gateway', async (where) => {
    const name = randomUUID();
    await using leader = await openLeader(here, { name, ttl: TTL });
    const at = where === 'same' ? here : there;
    await using back = openCampaign(at, { name, resumeToken: leader.last.resumeToken });
    await expectTerm(back, leader);
    expect(await leader.failure()).toMatchObject({
      code: 'Aborted',
      reason: 'SESSION_TAKEN_OVER',
      metadata: { lease_id: String(leader.last.leaseId) },
    });
    expect(leader.course.at(-1)).toBe('LEADER');
    expect(back.end).toBeUndefined();
    expect((await here.elections.leader({ name })).leader?.termToken).toBe(leader.last.termToken);
  });

  it('by many at once goes on at exactly one', async () => {
    const name = randomUUID();
    await using leader = await openLeader(here, { name, ttl: TTL, grace: GRACE });
    const { resumeToken, termToken } = leader.last;
    await leader[Symbol.asyncDispose]();
    const backs = Array.from({ length: 10 }, (_, i) =>
      openCampaign(i % 2 ? here : there, { name, resumeToken }),
    );
    await eventually(() => expect(backs.filter(({ end }) => end === undefined)).toHaveLength(1));
    const [left] = backs.filter(({ end }) => end === undefined);
    expect((await left?.leads())?.termToken).toBe(termToken);
    for (const back of backs) await back[Symbol.asyncDispose]();
  });

  it('is refused with the token of another election, or of another rpc', async () => {
    const name = randomUUID();
    await using leader = await openLeader(here, { name, ttl: TTL });
    const { resumeToken } = leader.last;
    const elsewhere = openCampaign(here, { name: `${name}x`, resumeToken });
    expect(await elsewhere.failure()).toMatchObject({
      code: 'InvalidArgument',
      reason: 'RESUME_TOKEN_INVALID',
    });
    expect(await failureOf(firstOf(here.locks.hold({ name, resumeToken })))).toMatchObject({
      reason: 'RESUME_TOKEN_INVALID',
    });
    expect(await failureOf(firstOf(here.leases.hold({ resumeToken })))).toMatchObject({
      reason: 'RESUME_TOKEN_INVALID',
    });
    expect(leader.end).toBeUndefined();
  });
});

describe('a campaign that is resumed too late', () => {
  it(
    'finds nothing after its grace, and the next one leads',
    async () => {
      const name = randomUUID();
      const request = { name, ttl: { seconds: 2n }, grace: { nanos: 500_000_000 } };
      await using leader = await openLeader(here, request);
      await using next = await openCandidate(there, { name, ttl: TTL });
      await leader[Symbol.asyncDispose]();
      await next.leads();
      const late = openCampaign(here, { name, resumeToken: leader.last.resumeToken });
      expect(await late.failure()).toMatchObject({
        code: 'NotFound',
        reason: 'SESSION_NOT_FOUND',
        metadata: { lease_id: String(leader.last.leaseId) },
      });
    },
    TIMEOUT_MS,
  );

  it.each([
    ['it had no grace', {}, async () => {}],
    [
      'it resigned meanwhile',
      { grace: GRACE },
      async (name: string, termToken: bigint) => {
        await there.elections.resign({ name, termToken });
      },
    ],
  ])('finds nothing where %s', async (_, grace, meanwhile) => {
    const name = randomUUID();
    await using leader = await openLeader(here, { name, ttl: TTL, ...grace });
    const { termToken, resumeToken } = leader.last;
    await leader[Symbol.asyncDispose]();
    await meanwhile(name, termToken);
    await eventually(async () =>
      expect(await failureOf(here.elections.leader({ name }))).toMatchObject({ reason: 'NO_LEADER' }),
    );
    const late = openCampaign(here, { name, resumeToken });
    expect(await late.failure()).toMatchObject({ code: 'NotFound', reason: 'SESSION_NOT_FOUND' });
  });

  it(
    'finds nothing after its gateway was killed and its time to live has passed, and the next one leads',
    async () => {
      await using killed = await runConcord({ env: { ETCD_ENDPOINTS: etcd.endpoint } });
      const name = randomUUID();
      await using leader = await openLeader(openClients(killed.url), { name, ttl: { seconds: 1n } });
      await using next = await openCandidate(here, { name, ttl: TTL });
      killed.signal('SIGKILL');
      await killed.exited;
      expect((await next.leads()).termToken).toBeGreaterThan(leader.last.termToken);
      const late = openCampaign(here, { name, resumeToken: leader.last.resumeToken });
      expect(await late.failure()).toMatchObject({ reason: 'SESSION_NOT_FOUND' });
    },
    TIMEOUT_MS,
  );
});

/** Opens a campaign that leads and may be resumed, and one that waits. */
async function openLeaderAndNext(name: string) {
  const leader = await openLeader(here, { name, ttl: TTL, grace: GRACE });
  const candidate = await openCandidate(here, { name, ttl: TTL });
  return { leader, candidate, [Symbol.asyncDispose]: () => candidate[Symbol.asyncDispose]() };
}

async function firstOf<T>(stream: AsyncIterable<T>): Promise<T> {
  for await (const message of stream) return message;
  throw new Error('nothing came');
}
