import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Failure, failureOf } from '../../support/failure-of.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import type { TestGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { openCampaign, openLeader } from './campaign-stream.ts';

const TTL = { seconds: 600n };
const DAY_SECONDS = 86_400n;
const LONGEST_VALUE = 'ä'.repeat(32_768);

let gateway: TestGateway;
let clients: Clients;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
  clients = openClients(gateway.url);
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

/** Every rpc, with a request that is right but for what is given. */
function everyRpc(name: string): Readonly<Record<string, () => Promise<unknown>>> {
  const { elections } = clients;
  const term = { name, termToken: 1n };
  return {
    Campaign: () => firstOf(elections.campaign({ name })),
    Leader: () => elections.leader({ name }),
    ListCandidates: () => elections.listCandidates({ name }),
    Observe: () => firstOf(elections.observe({ name })),
    Proclaim: () => elections.proclaim(term),
    Resign: () => elections.resign(term),
    Transfer: () => elections.transfer({ ...term, leaseId: 1n }),
  };
}

async function firstOf<T>(stream: AsyncIterable<T>): Promise<T> {
  for await (const message of stream) return message;
  throw new Error('nothing came');
}

function invalid(field: string): Partial<Failure> {
  return { code: 'InvalidArgument', reason: 'FIELD_INVALID', metadata: { field } };
}

describe('a request to ElectionService', () => {
  it.each([
    ['empty', ''],
    ['of 1025 bytes', 'x'.repeat(1_025)],
    ['of 1026 bytes in 513 letters', 'ä'.repeat(513)],
    ['with a line break', 'a\nb'],
    ['with a zero', 'a\0b'],
    ['with a control character of Latin-1', 'a\u0085b'],
    ['that ends in a line break', 'ab\n'],
  ])('is refused where its name is %s', async (_, name) => {
    for (const [rpc, call] of Object.entries(everyRpc(name)))
      expect(await failureOf(call()), rpc).toMatchObject(invalid('name'));
  });

  it.each([0n, -1n])('is refused where its token is %s', async (termToken) => {
    const name = randomUUID();
    const { elections } = clients;
    for (const failure of await Promise.all(
      [
        elections.proclaim({ name, termToken }),
        elections.resign({ name, termToken }),
        elections.transfer({ name, termToken, leaseId: 1n }),
      ].map(failureOf),
    ))
      expect(failure).toMatchObject(invalid('term_token'));
  });

  it.each([0n, -1n])('is refused where it transfers to lease %s', async (leaseId) => {
    const call = clients.elections.transfer({ name: randomUUID(), termToken: 1n, leaseId });
    expect(await failureOf(call)).toMatchObject(invalid('lease_id'));
  });

  it.each([
    ['ttl', { seconds: 0n }],
    ['ttl', { seconds: -1n }],
    ['ttl', { seconds: DAY_SECONDS, nanos: 1 }],
    ['grace', { seconds: -1n }],
    ['grace', { seconds: DAY_SECONDS + 1n }],
  ])('is refused where %s is not within its bounds: %o', async (field, duration) => {
    const call = firstOf(clients.elections.campaign({ name: randomUUID(), [field]: duration }));
    expect(await failureOf(call)).toMatchObject(invalid(field));
  });

  it.each([
    { seconds: 0n, nanos: 999_999_999 },
    { seconds: 3_600n, nanos: 1 },
  ])('is refused where checkpoints are to come every %o', async (checkpointInterval) => {
    const call = firstOf(clients.elections.observe({ name: randomUUID(), checkpointInterval }));
    expect(await failureOf(call)).toMatchObject(invalid('checkpoint_interval'));
  });

  it('is refused where a value is longer than 64 KiB', async () => {
    const { elections } = clients;
    const [name, value] = [randomUUID(), `${LONGEST_VALUE}x`];
    for (const failure of await Promise.all(
      [firstOf(elections.campaign({ name, value })), elections.proclaim({ name, termToken: 1n, value })].map(
        failureOf,
      ),
    ))
      expect(failure).toMatchObject(invalid('value'));
  });

  it('is refused where it resumes and says anew what the stream began with', async () => {
    for (const more of [{ value: 'x' }, { ttl: TTL }, { grace: TTL }]) {
      const call = firstOf(clients.elections.campaign({ name: randomUUID(), resumeToken: 'x', ...more }));
      expect(await failureOf(call)).toMatchObject({ code: 'InvalidArgument', reason: 'FIELD_INVALID' });
    }
  });

  it.each(['x', 'AAAAAAAAAAAAAAAAAAAA', '💥', ' '])(
    'is refused where its token is none: "%s"',
    async (resumeToken) => {
      const call = firstOf(clients.elections.campaign({ name: randomUUID(), resumeToken }));
      expect(await failureOf(call)).toMatchObject({
        code: 'InvalidArgument',
        reason: 'RESUME_TOKEN_INVALID',
      });
    },
  );

  it('may go to the bounds', async () => {
    const { elections, leases } = clients;
    const name = 'ü'.repeat(512);
    const day = { seconds: DAY_SECONDS };
    await using leader = await openLeader(clients, { name, value: LONGEST_VALUE, ttl: day, grace: day });
    const { termToken, leaseId } = leader.last;
    expect(await elections.leader({ name })).toMatchObject({ leader: { value: LONGEST_VALUE } });
    expect(await leases.get({ leaseId })).toMatchObject({
      grantedTtl: { seconds: (DAY_SECONDS * 3n) / 2n },
    });
    await elections.proclaim({ name, termToken, value: LONGEST_VALUE.replaceAll('ä', 'ö') });
    const checkpointInterval = { seconds: 3_600n };
    await firstOf(elections.observe({ name, checkpointInterval }));
    await elections.resign({ name, termToken });
  });

  it.each([
    [{ nanos: 1 }, 1n],
    [{ seconds: 1n, nanos: 1 }, 2n],
    [undefined, 15n],
  ])('has a time to live of %o rounded up to whole seconds', async (ttl, seconds) => {
    const name = randomUUID();
    await using leader = await openLeader(clients, { name, ...(ttl !== undefined && { ttl }) });
    const { leaseId } = leader.last;
    expect(await clients.leases.get({ leaseId })).toMatchObject({ grantedTtl: { seconds } });
  });

  it('has a time to live of one and a half times its grace where that is longer', async () => {
    const request = { name: randomUUID(), ttl: { seconds: 2n }, grace: { seconds: 30n } };
    await using campaign = openCampaign(clients, request);
    const { leaseId } = await campaign.leads();
    expect(await clients.leases.get({ leaseId })).toMatchObject({ grantedTtl: { seconds: 45n } });
  });
});
