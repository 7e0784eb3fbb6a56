import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { singleKey } from '../../../src/domain/key-range.ts';
import { type Etcd, openEtcd } from '../../../src/etcd/open-etcd.ts';
import { countAuthentications, enableAuth, grantPrefix } from '../../support/etcd-auth.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { openKvClient } from '../../support/kv-client.ts';
import { openTempDir } from '../../support/open-temp-dir.ts';
import { startCallers } from '../../support/start-callers.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';

const ROOT = { username: 'root', password: 'root-secret' };
const AS_ROOT = { ETCD_USERNAME: ROOT.username, ETCD_PASSWORD: ROOT.password };
const READER = { username: 'reader', password: 'reader-secret', prefix: 'allowed/' };
const AS_READER = { ETCD_USERNAME: READER.username, ETCD_PASSWORD: READER.password };
const TOKEN_TTL_S = 2;
/** Etcd looks for expired tokens every second, or later where it has much else to do. */
const EXPIRED_AFTER_MS = (TOKEN_TTL_S + 3) * 1_000;
/** With 4, the cheapest there is, a password takes 1 ms and not 100. */
const CHEAP_PASSWORDS = '--bcrypt-cost=4';

describe('an etcd with authentication and simple tokens', () => {
  let etcd: TestEtcd;

  beforeAll(async () => {
    const args = ['--auth-token=simple', `--auth-token-ttl=${TOKEN_TTL_S}`, CHEAP_PASSWORDS];
    etcd = await startEtcd({ args });
    await enableAuth(etcd.endpoint, ROOT.password, [READER]);
  });

  afterAll(async () => {
    await etcd?.stop();
  });

  it('is read and written as its user', async () => {
    await using gateway = await startGateway([etcd.endpoint], AS_ROOT);
    const kv = openKvClient(gateway.url);
    const key = `test/${randomUUID()}`;
    await kv.put({ key, value: 'hello', ttl: { seconds: 60n } });
    expect((await kv.get({ key })).kv?.value).toBe('hello');
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200);
  });

  it('refuses neither a read nor a write because the token has expired', async () => {
    await using adapter = openEtcd({ endpoints: [etcd.endpoint], user: ROOT });
    for (const call of [readKey, writeKey]) {
      await call(adapter);
      await delay(EXPIRED_AFTER_MS);
      await call(adapter);
    }
  });

  it('is asked for one new token when many calls find the old one expired', async () => {
    await using adapter = openEtcd({ endpoints: [etcd.endpoint], user: ROOT });
    await readKey(adapter);
    const before = await countAuthentications(etcd.endpoint);
    await delay(EXPIRED_AFTER_MS);
    const calls = Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? readKey : writeKey)(adapter));
    const outcomes = await Promise.allSettled(calls);
    expect(
      outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? String(outcome.reason) : [])),
    ).toEqual([]);
    expect((await countAuthentications(etcd.endpoint)) - before).toBe(1);
  });

  it('is asked for one token when many calls are the first', async () => {
    const before = await countAuthentications(etcd.endpoint);
    await using adapter = openEtcd({ endpoints: [etcd.endpoint], user: ROOT });
    await Promise.all(Array.from({ length: 200 }, () => readKey(adapter)));
    expect((await countAuthentications(etcd.endpoint)) - before).toBe(1);
  });

  it('serves again after it was restarted', async () => {
    await using gateway = await startGateway([etcd.endpoint], AS_ROOT);
    const kv = openKvClient(gateway.url);
    const key = `test/${randomUUID()}`;
    await kv.put({ key, value: '1' });
    await etcd.kill();
    await delay(EXPIRED_AFTER_MS);
    await etcd.restart();
    await eventually(async () => expect((await kv.get({ key })).kv?.value).toBe('1'));
    expect((await kv.put({ key, value: '2' })).version).toBe(2n);
  });

  it('lets a user do what its role allows, and says so of the rest', async () => {
    await using gateway = await startGateway([etcd.endpoint], AS_READER);
    const kv = openKvClient(gateway.url);
    const key = `${READER.prefix}${randomUUID()}`;
    await kv.put({ key, value: 'mine' });
    expect((await kv.get({ key })).kv?.value).toBe('mine');
    const denied = { code: 'PermissionDenied', reason: 'STORE_PERMISSION_DENIED' };
    expect(await failureOf(kv.put({ key: 'other' }))).toMatchObject(denied);
    expect(await failureOf(kv.get({ key: 'other' }))).toMatchObject(denied);
    expect(await failureOf(kv.list({ prefix: '' }))).toMatchObject(denied);
    expect(await failureOf(kv.delete({ key: 'other' }))).toMatchObject(denied);
  });

  it('does not make a gateway unready whose user may not read everything', async () => {
    await using gateway = await startGateway([etcd.endpoint], AS_READER);
    const response = await fetch(`${gateway.url}/readyz`);
    expect(`${response.status} ${await response.text()}`).toBe('200 ready\n');
  });

  it.each([
    ['a wrong password', { ...AS_ROOT, ETCD_PASSWORD: 'wrong-secret' }],
    ['an unknown user', { ETCD_USERNAME: 'nobody', ETCD_PASSWORD: 'wrong-secret' }],
    ['no user', {}],
  ])('refuses %s, which makes a gateway unready', async (_, env) => {
    await using gateway = await startGateway([etcd.endpoint], env);
    const kv = openKvClient(gateway.url);
    const rejected = { code: 'FailedPrecondition', reason: 'STORE_CREDENTIALS_REJECTED' };
    expect(await failureOf(kv.put({ key: 'k' }))).toMatchObject(rejected);
    expect(await failureOf(kv.get({ key: 'k' }))).toMatchObject(rejected);
    const response = await fetch(`${gateway.url}/readyz`);
    expect(response.status).toBe(503);
    expect(await response.text()).toMatch(/credentials/);
    expect(JSON.stringify(gateway.logLines)).not.toContain('wrong-secret');
  });
});

describe('an etcd without authentication', () => {
  it('refuses a gateway that has a user, and says why', async () => {
    await using etcd = await startEtcd();
    await using gateway = await startGateway([etcd.endpoint], AS_ROOT);
    expect(await failureOf(openKvClient(gateway.url).get({ key: 'k' }))).toMatchObject({
      code: 'FailedPrecondition',
      reason: 'STORE_CREDENTIALS_REJECTED',
    });
    expect(JSON.stringify(gateway.logLines)).toContain('authentication is not enabled');
  });
});

describe('an etcd with authentication and JSON Web Tokens', () => {
  it('refuses no call of a gateway in use whose tokens expire again and again', async () => {
    await using etcd = await startJwtEtcd('1s');
    await enableAuth(etcd.endpoint, ROOT.password);
    await using gateway = await startGateway([etcd.endpoint], AS_ROOT);
    const kv = openKvClient(gateway.url);
    const before = await countAuthentications(etcd.endpoint);
    const callers = startCallers({
      count: 20,
      call: (caller, index) => kv.put({ key: `test/${caller}`, value: String(index) }),
      goesOn: ({ error }) => error === undefined,
    });
    await eventually(async () =>
      expect((await countAuthentications(etcd.endpoint)) - before).toBeGreaterThanOrEqual(3),
    );
    await callers.stop();
    expect(callers.records.flatMap(({ error }) => error?.message ?? [])).toEqual([]);
  });

  it('serves a user whose role was changed, with what it may do now', async () => {
    await using etcd = await startJwtEtcd('10m');
    await enableAuth(etcd.endpoint, ROOT.password, [READER]);
    await using gateway = await startGateway([etcd.endpoint], AS_READER);
    const kv = openKvClient(gateway.url);
    await kv.put({ key: `${READER.prefix}k` });
    expect(await failureOf(kv.put({ key: 'more/k' }))).toMatchObject({ reason: 'STORE_PERMISSION_DENIED' });
    await grantPrefix(etcd.endpoint, ROOT.password, READER.username, 'more/');
    await kv.put({ key: 'more/k', value: 'now' });
    expect((await kv.get({ key: 'more/k' })).kv?.value).toBe('now');
    expect((await kv.put({ key: `${READER.prefix}k` })).version).toBe(2n);
  });
});

async function readKey({ store }: Etcd): Promise<void> {
  await store.read(
    { kind: 'read', range: singleKey(Buffer.from('test/k')) },
    { signal: AbortSignal.timeout(30_000) },
  );
}

async function writeKey({ store }: Etcd): Promise<void> {
  const put = { kind: 'put', key: Buffer.from('test/k'), value: Buffer.from('v') } as const;
  await store.txn(
    { kind: 'txn', compares: [], success: [put], failure: [] },
    { signal: AbortSignal.timeout(30_000) },
  );
}

/** Starts an etcd whose tokens say themselves until when, and since which change of users and roles, they hold. */
async function startJwtEtcd(ttl: string): Promise<TestEtcd> {
  await using folder = await openTempDir();
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const [publicFile, privateFile] = [join(folder.path, 'public.pem'), join(folder.path, 'private.pem')];
  await writeFile(publicFile, publicKey.export({ type: 'spki', format: 'pem' }));
  await writeFile(privateFile, privateKey.export({ type: 'pkcs1', format: 'pem' }));
  // Etcd reads the files at its start alone.
  const token = `jwt,pub-key=${publicFile},priv-key=${privateFile},sign-method=RS256,ttl=${ttl}`;
  return await startEtcd({ args: [`--auth-token=${token}`, CHEAP_PASSWORDS] });
}
