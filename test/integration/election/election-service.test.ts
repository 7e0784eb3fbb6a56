import { randomUUID } from 'node:crypto';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ObserveResponse_Kind as Kind } from '../../../gen/concord/election/v1/election_service_pb.ts';
import { Consistency } from '../../../gen/concord/kv/v1/reading_pb.ts';
import { collect } from '../../support/collect.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { openClients } from '../../support/open-clients.ts';
import { PROTOCOLS } from '../../support/protocols.ts';
import type { TestGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { openCandidate, openLeader } from './campaign-stream.ts';

const TTL = { seconds: 600n };
const NO_SUCH_LEASE = 4711n;
const newName = () => `test/${randomUUID()}`;

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

describe.each(PROTOCOLS)('ElectionService over $name', ({ open }) => {
  const clients = () => openClients(gateway.url, open(gateway.url));

  it('tells who leads, and what the leader says of itself from now on', async () => {
    const { elections } = clients();
    const name = newName();
    const beforeMs = Date.now();
    await using leader = await openLeader(clients(), { name, value: 'anna:80', ttl: TTL });
    const { termToken, leaseId, revision } = leader.last;
    expect(termToken).toBeGreaterThan(0n);
    expect(leaseId).toBeLessThan(2n ** 53n);
    const told = await elections.leader({ name, minRevision: revision });
    expect(told.leader).toMatchObject({ value: 'anna:80', termToken, leaseId });
    const leadMs = told.leader?.leadTime && timestampMs(told.leader.leadTime);
    expect(leadMs).toBeGreaterThanOrEqual(beforeMs - 1);
    expect(leadMs).toBeLessThanOrEqual(Date.now());

    const proclaimed = await elections.proclaim({ name, termToken, value: 'anna:81 — ключ' });
    expect(proclaimed.revision).toBeGreaterThan(told.revision);
    const { leader: now } = await elections.leader({ name });
    expect(now).toEqual({ ...told.leader, value: 'anna:81 — ключ' });
  });

  it('lists who leads and who waits, in order, and since when', async () => {
    const { elections } = clients();
    const name = newName();
    expect(await elections.listCandidates({ name })).toMatchObject({ candidates: [], candidateCount: 0 });
    const beforeMs = Date.now();
    await using leader = await openLeader(clients(), { name, value: 'anna', ttl: TTL });
    await using second = await openCandidate(clients(), { name, value: 'ben', ttl: TTL });
    await using third = await openCandidate(clients(), { name, value: 'eva', ttl: TTL });
    const listed = await elections.listCandidates({ name });
    expect(listed).toMatchObject({
      leader: { value: 'anna', termToken: leader.last.termToken, leaseId: leader.last.leaseId },
      candidates: [
        { position: 0, value: 'ben', leaseId: second.last.leaseId },
        { position: 1, value: 'eva', leaseId: third.last.leaseId },
      ],
      candidateCount: 2,
    });
    for (const { campaignTime } of listed.candidates) {
      expect(campaignTime && timestampMs(campaignTime)).toBeGreaterThanOrEqual(beforeMs - 1);
      expect(campaignTime && timestampMs(campaignTime)).toBeLessThanOrEqual(Date.now());
    }
  });

  it('has the next one lead, with a token that is greater, after a resignation, which may be repeated', async () => {
    const { elections } = clients();
    const name = newName();
    await using leader = await openLeader(clients(), { name, ttl: TTL });
    await using next = await openCandidate(clients(), { name, value: 'next', ttl: TTL });
    const { termToken } = leader.last;
    const resigned = await elections.resign({ name, termToken });
    expect((await next.leads()).termToken).toBeGreaterThan(termToken);
    expect((await elections.resign({ name, termToken })).revision).toBeGreaterThanOrEqual(resigned.revision);
    expect((await elections.leader({ name })).leader?.value).toBe('next');
  });

  it('has the one lead that the leadership is transferred to', async () => {
    const { elections } = clients();
    const name = newName();
    await using leader = await openLeader(clients(), { name, ttl: TTL });
    await using next = await openCandidate(clients(), { name, ttl: TTL });
    await using chosen = await openCandidate(clients(), { name, ttl: TTL });
    const { termToken } = leader.last;
    const { revision } = await elections.transfer({ name, termToken, leaseId: chosen.last.leaseId });
    expect(revision).toBeGreaterThan(termToken);
    expect((await chosen.leads()).termToken).toBeGreaterThan(revision);
    expect(next.course).toEqual(['CANDIDATE 0']);
  });

  it('streams who leads', async () => {
    const name = newName();
    const controller = new AbortController();
    await using told = collect(clients().elections.observe({ name }, controller), controller);
    await told.find(({ kind }) => kind === Kind.VACANT);
    await using leader = await openLeader(clients(), { name, ttl: TTL });
    const { termToken } = leader.last;
    await told.find((message) => message.leader?.termToken === termToken);
  });

  it('says that nobody leads', async () => {
    const { elections } = clients();
    const name = newName();
    expect(await failureOf(elections.leader({ name }))).toMatchObject({
      code: 'NotFound',
      reason: 'NO_LEADER',
      metadata: { election: name },
      message: expect.stringContaining(name),
    });
  });

  it('does nothing for a token that does not lead', async () => {
    const { elections } = clients();
    const [name, otherName] = [newName(), newName()];
    await using leader = await openLeader(clients(), { name, value: 'it', ttl: TTL });
    await using other = await openLeader(clients(), { name: otherName, ttl: TTL });
    await using candidate = await openCandidate(clients(), { name, ttl: TTL });
    const { termToken } = leader.last;
    const { leaseId } = candidate.last;
    for (const wrong of [termToken + 1n, termToken - 1n, other.last.termToken, 1n, 2n ** 63n - 1n]) {
      const calls = [
        elections.proclaim({ name, termToken: wrong, value: 'not it' }),
        elections.resign({ name, termToken: wrong }),
        elections.transfer({ name, termToken: wrong, leaseId }),
      ];
      for (const failure of await Promise.all(calls.map(failureOf))) {
        expect(failure).toMatchObject({
          code: 'FailedPrecondition',
          reason: 'NOT_LEADER',
          metadata: { election: name, term_token: String(wrong) },
        });
      }
    }
    expect((await elections.leader({ name })).leader).toMatchObject({ value: 'it', termToken });
    expect(candidate.course).toEqual(['CANDIDATE 0']);
  });

  it('transfers to nobody but a candidate', async () => {
    const { elections } = clients();
    const [name, otherName] = [newName(), newName()];
    await using leader = await openLeader(clients(), { name, ttl: TTL });
    await using elsewhere = await openLeader(clients(), { name: otherName, ttl: TTL });
    const { termToken } = leader.last;
    for (const leaseId of [NO_SUCH_LEASE, elsewhere.last.leaseId, leader.last.leaseId, 2n ** 63n - 1n]) {
      expect(await failureOf(elections.transfer({ name, termToken, leaseId }))).toMatchObject({
        code: 'NotFound',
        reason: 'CANDIDATE_NOT_FOUND',
        metadata: { election: name, lease_id: String(leaseId) },
      });
    }
    expect((await elections.leader({ name })).leader).toMatchObject({ termToken });
  });

  it('answers no older than it is asked to, and not before the store is there', async () => {
    const { elections } = clients();
    const name = newName();
    await using leader = await openLeader(clients(), { name, ttl: TTL });
    const { revision, termToken } = leader.last;
    for (const consistency of [Consistency.LINEARIZABLE, Consistency.SERIALIZABLE]) {
      const freshness = { consistency, minRevision: revision };
      expect((await elections.leader({ name, ...freshness })).leader?.termToken).toBe(termToken);
      expect((await elections.listCandidates({ name, ...freshness })).leader?.termToken).toBe(termToken);
      const future = { consistency, minRevision: 2n ** 60n };
      const calls = [elections.leader({ name, ...future }), elections.listCandidates({ name, ...future })];
      for (const failure of await Promise.all(calls.map(failureOf))) {
        expect(failure).toMatchObject({ code: 'OutOfRange', reason: 'REVISION_IN_FUTURE' });
      }
    }
  });

  it('keeps elections apart whose names look like parts of each other', async () => {
    const { elections } = clients();
    const base = newName();
    const ends = [
      '',
      '/',
      '%',
      '%2F',
      '%25',
      '/leader',
      '/candidate/1',
      '/transfer',
      ' ',
      'ключ',
      '😀',
      '\u200b',
    ];
    const names = ends.map((end) => base + end);
    const leaders = await Promise.all(
      names.map((name) => openLeader(clients(), { name, value: name, ttl: TTL })),
    );
    for (const [i, name] of names.entries()) {
      const termToken = leaders[i]?.last.termToken;
      expect(await elections.listCandidates({ name })).toMatchObject({
        leader: { value: name, termToken },
        candidateCount: 0,
      });
    }
    for (const leader of leaders) await leader[Symbol.asyncDispose]();
    await eventually(async () => {
      for (const name of names)
        expect(await failureOf(elections.leader({ name }))).toMatchObject({ reason: 'NO_LEADER' });
    });
  });
});
