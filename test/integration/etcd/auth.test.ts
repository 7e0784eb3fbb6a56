import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countAuthentications, enableAuth, grantPrefix } from '../../support/etcd-auth.ts';
import { failureOf } from '../../support/failure-of.ts';
import { openKvClient } from '../../support/kv-client.ts';
import { openTempDir } from '../../support/open-temp-dir.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';

const ROOT_PASSWORD = 'root-secret';
const READER = { username: 'reader', password: 'reader-secret', prefix: 'allowed/' };
const TOKEN_TTL_S = 2;
/** With 4, the cheapest there is, a password takes 1 ms and not 100. */
const CHEAP_PASSWORDS = '--bcrypt-cost=4';

describe('a gateway on an etcd with authentication', () => {
  let etcd: TestEtcd;
  const asRoot = { ETCD_USERNAME: 'root', ETCD_PASSWORD: ROOT_PASSWORD };
  const asReader = { ETCD_USERNAME: READER.username, ETCD_PASSWORD: READER.password };

  beforeAll(async () => {
    etcd = await startEtcd({ args: ['--auth-token=simple', `--auth-token-ttl=${TOKEN_TTL_S}`, CHEAP_PASSWORDS] });
    await enableAuth(etcd.endpoint, ROOT_PASSWORD, [READER]);
  });

  afterAll(async () => {
    await etcd?.stop();
  });

  it('reads and writes as its user, and is ready', async () => {
    await using gateway = await startGateway([etcd.endpoint], asRoot);
    const kv = openKvClient(gateway.url);
    const key = `test/${randomUUID()}`;
    await kv.put({ key, value: 'hello', ttl: { seconds: 60n } });
    expect((await kv.get({ key })).kv?.value).toBe('hello');
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200);
  });

  it('goes on when its token has expired', async () => {
    await using gateway = await startGateway([etcd.endpoint], asRoot);
    const kv = openKvClient(gateway.url);
    const key = `test/${randomUUID()}`;
    const put = await kv.put({ key, value: '1' });
    await etcd.restart();
    expect((await kv.get({ key })).kv?.modRevision).toBe(put.revision);
    expect((await kv.put({ key, value: '2' })).version).toBe(2n);
  });

  it('is refused no call, and asks for one new token, when many calls meet an expired one', async () => {
    await using gateway = await startGateway([etcd.endpoint], asRoot);
    const kv = openKvClient(gateway.url);
    const prefix = `test/${randomUUID()}/`;
    await kv.put({ key: `${prefix}warm` });
    await expireTokens(etcd);
    const before = await countAuthentications(etcd.endpoint);
    const writes = Array.from({ length: 100 }, (_, i) => kv.put({ key: prefix + i }));
    const reads = Array.from({ length: 100 }, () => kv.get({ key: `${prefix}warm` }));
    const outcomes = await Promise.allSettled([...writes, ...reads]);
    expect(outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? String(outcome.reason) : []))).toEqual([]);
    expect((await countAuthentications(etcd.endpoint)) - before).toBe(1);
  });
});
