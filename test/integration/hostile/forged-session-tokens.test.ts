import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seal } from '../../../src/rpc/fields/sealed-text.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import type { TestGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { expectDamageFound, failureIn } from './damaged-tokens.ts';

const BEYOND_INT64 = '9999999999999999999';
const GREATEST_INT64 = '9223372036854775807';
const TTL = { seconds: 600n };

let gateway: TestGateway;
let clients: Clients;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
  clients = openClients(gateway.url);
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

/** A stream that may be resumed, and what its tokens are tied to. */
interface Resumable {
  readonly open: (name: string, resumeToken: string) => AsyncIterable<{ readonly resumeToken: string }>;
  readonly purpose: (name: string) => readonly string[];
}

const RESUMABLE: Readonly<Record<string, Resumable>> = {
  'LeaseService/Hold': {
    open: (_, resumeToken) =>
      clients.leases.hold(resumeToken === '' ? { ttl: TTL, grace: TTL } : { resumeToken }),
    purpose: () => ['concord.lease.v1.LeaseService/Hold'],
  },
  'LockService/Hold': {
    open: (name, resumeToken) =>
      clients.locks.hold(resumeToken === '' ? { name, ttl: TTL, grace: TTL } : { name, resumeToken }),
    purpose: (name) => ['concord.lock.v1.LockService/Hold', name, 'mutex', '0'],
  },
  'ElectionService/Campaign': {
    open: (name, resumeToken) =>
      clients.elections.campaign(resumeToken === '' ? { name, ttl: TTL, grace: TTL } : { name, resumeToken }),
    purpose: (name) => ['concord.election.v1.ElectionService/Campaign', name],
  },
};

/** A token sealed as the gateway seals its own, whatever it says. */
function forged(text: string, purpose: readonly string[]): string {
  return seal(text, Buffer.from(JSON.stringify(['session', ...purpose])));
}

/** Returns the token that a stream begins with, and ends it. */
async function firstToken(stream: AsyncIterable<{ readonly resumeToken: string }>): Promise<string> {
  for await (const { resumeToken } of stream) return resumeToken;
  throw new Error('the stream said nothing');
}

describe.each(Object.entries(RESUMABLE))('a resume token of %s', (_, { open, purpose }) => {
  it('that somebody made himself is taken where it says what the gateway would have said', async () => {
    const name = randomUUID();
    const genuine = await firstToken(open(name, ''));
    const text = Buffer.from(genuine, 'base64url').subarray(9).toString('latin1');
    expect(forged(text, purpose(name))).toBe(genuine);
    expect(await firstToken(open(name, genuine))).toMatch(/./);
  });

  it.each([
    `${BEYOND_INT64} 1`,
    `1 ${BEYOND_INT64}`,
    `${BEYOND_INT64} ${BEYOND_INT64}`,
    `${GREATEST_INT64} 1`,
    `1 ${GREATEST_INT64}`,
    '0 0',
    '0 1',
    '1 0',
    '1 1',
    '',
    '-1 1',
    '1',
    '1 1 1',
  ])('that somebody made himself is refused with "%s"', async (text) => {
    const name = randomUUID();
    const failure = await failureIn(firstToken(open(name, forged(text, purpose(name)))));
    expect(['RESUME_TOKEN_INVALID', 'SESSION_NOT_FOUND']).toContain(failure?.reason);
  });

  it('that somebody made himself takes up no lease that no stream holds', async () => {
    const name = randomUUID();
    const { leaseId, revision } = await clients.leases.grant({ ttl: TTL });
    for (const openRevision of [0n, revision, revision + 1n]) {
      const token = forged(`${leaseId} ${openRevision}`, purpose(name));
      expect(await failureIn(firstToken(open(name, token)))).toMatchObject({ reason: 'SESSION_NOT_FOUND' });
    }
    expect(await clients.leases.get({ leaseId })).toMatchObject({ leaseId });
  });

  it('that is damaged is found out', { timeout: 180_000 }, async () => {
    const name = randomUUID();
    const genuine = await firstToken(open(name, ''));
    await expectDamageFound(genuine, 'RESUME_TOKEN_INVALID', (token) => firstToken(open(name, token)));
  });
});

describe('a page token of LockService/List', () => {
  const prefix = `pages/${randomUUID()}/`;
  const forgedPage = (text: string) => seal(text, Buffer.from(`concord.lock.v1.ListRequest ${prefix}`));
  const nameText = (name: string) => Buffer.from(name).toString('base64url');
  const namesFrom = async (pageToken: string) =>
    (await clients.locks.list({ prefix, pageToken })).locks.map(({ name }) => name.slice(prefix.length));
  let revision: bigint;

  beforeAll(async () => {
    for (const name of [`${prefix}a`, `${prefix}b`, `${prefix}c`, 'aside', 'secret', 'zoo'])
      ({ revision } = await clients.locks.acquire({ name, ttl: TTL }));
  });

  it('that somebody made himself is taken where it says what the gateway would have said', async () => {
    expect(await namesFrom(forgedPage(`${revision} ${nameText(`${prefix}a`)}`))).toEqual(['b', 'c']);
  });

  it.each(['', 'aside', 'secret', 'zoo', '\u{10ffff}'])(
    'shows no other locks, from "%s" on',
    async (name) => {
      const names: string[] = [];
      const failure = await failureIn(
        namesFrom(forgedPage(`${revision} ${nameText(name)}`)).then((found) => names.push(...found)),
      );
      if (failure !== undefined) expect(failure).toMatchObject({ reason: 'PAGE_TOKEN_INVALID' });
      expect(names.filter((found) => !['a', 'b', 'c'].includes(found))).toEqual([]);
    },
  );

  it.each(['0', '999999999999999999', BEYOND_INT64, '-1', ''])(
    'is refused, or harmless, at revision "%s"',
    async (text) => {
      const failure = await failureIn(namesFrom(forgedPage(`${text} ${nameText(`${prefix}a`)}`)));
      if (failure !== undefined) expect(['InvalidArgument', 'OutOfRange']).toContain(failure.code);
    },
  );

  it('that is damaged is found out', { timeout: 180_000 }, async () => {
    const { nextPageToken } = await clients.locks.list({ prefix, pageSize: 1 });
    await expectDamageFound(nextPageToken, 'PAGE_TOKEN_INVALID', (pageToken) =>
      clients.locks.list({ prefix, pageSize: 1, pageToken }),
    );
  });
});
