import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CERTIFICATES } from '../../support/certificates.ts';
import { failureOf } from '../../support/failure-of.ts';
import { openKvClient } from '../../support/kv-client.ts';
import { runConcord } from '../../support/run-concord.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';

const { ca, otherCa, server, client } = CERTIFICATES;
const SERVER_TLS = [`--cert-file=${server.cert}`, `--key-file=${server.key}`];
const MUTUAL_TLS = [...SERVER_TLS, '--client-cert-auth', `--trusted-ca-file=${ca}`];
const AS_CLIENT = { ETCD_CA: ca, ETCD_CERT: client.cert, ETCD_KEY: client.key };
const TIMES = { ETCD_TIMEOUT: '1s' };

describe('an etcd that wants certificates of its clients', { timeout: 120_000 }, () => {
  let etcd: TestEtcd;

  beforeAll(async () => {
    etcd = await startEtcd({ scheme: 'https', args: MUTUAL_TLS });
  });

  afterAll(async () => {
    await etcd?.stop();
  });

  it('serves a gateway that has one', async () => {
    await using gateway = await startGateway([etcd.endpoint], AS_CLIENT);
    const kv = openKvClient(gateway.url);
    const key = `test/${randomUUID()}`;
    await kv.put({ key, value: 'hello', ttl: { seconds: 60n } });
    expect((await kv.get({ key })).kv?.value).toBe('hello');
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200);
  });

  it('is checked against the name that it is reached by', async () => {
    const byName = etcd.endpoint.replace('127.0.0.1', 'localhost');
    await using gateway = await startGateway([byName], AS_CLIENT);
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200);
  });

  it.each([
    ['has none', { ETCD_CA: ca }, /certificate/i],
    ['does not trust it', { ...AS_CLIENT, ETCD_CA: otherCa }, /certificate|issuer/i],
    ["trusts the system's authorities alone", {}, /certificate|issuer/i],
  ])('is unavailable to a gateway that %s, whose log tells why', async (_, env, why) => {
    await using gateway = await startGateway([etcd.endpoint], { ...env, ...TIMES });
    const kv = openKvClient(gateway.url);
    const unavailable = { code: 'Unavailable', reason: 'STORE_UNAVAILABLE', hasRetryInfo: true };
    expect(await failureOf(kv.get({ key: 'k' }))).toMatchObject(unavailable);
    // It was never sent, so its outcome is known.
    expect(await failureOf(kv.put({ key: 'k' }))).toMatchObject(unavailable);
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(503);
    const ended = gateway.logLines.filter(({ msg, level }) => msg === 'call ended' && level === 'warn');
    expect(ended.length).toBeGreaterThan(0);
    for (const { cause } of ended as readonly { readonly cause?: unknown }[]) expect(cause).toMatch(why);
    expect(JSON.stringify(gateway.logLines)).not.toContain('PRIVATE KEY');
  });

  it('is unavailable to a gateway that speaks cleartext', async () => {
    await using gateway = await startGateway([etcd.endpoint.replace('https', 'http')], TIMES);
    expect(await failureOf(openKvClient(gateway.url).get({ key: 'k' }))).toMatchObject({
      reason: 'STORE_UNAVAILABLE',
    });
  });
});

describe('an etcd that has a certificate', { timeout: 120_000 }, () => {
  let etcd: TestEtcd;

  beforeAll(async () => {
    etcd = await startEtcd({ scheme: 'https', args: SERVER_TLS });
  });

  afterAll(async () => {
    await etcd?.stop();
  });

  it('serves a gateway that trusts it', async () => {
    await using gateway = await startGateway([etcd.endpoint], { ETCD_CA: ca });
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200);
  });

  it('is used by a process that is told of the authority by Node.js itself', async () => {
    await using concord = await runConcord({
      env: { ETCD_ENDPOINTS: etcd.endpoint, NODE_EXTRA_CA_CERTS: ca },
    });
    expect(concord.stdout).toContain(`etcd       ${etcd.version}, of the endpoints given`);
  });

  it('does not bring anything but log lines to standard error', async () => {
    await using concord = await runConcord({ env: { ETCD_ENDPOINTS: etcd.endpoint, ETCD_CA: ca } });
    expect((await fetch(`${concord.url}/readyz`)).status).toBe(200);
    const lines = concord.stderr.trimEnd().split('\n');
    expect(lines.filter((line) => !line.startsWith('{"level":'))).toEqual([]);
  });
});
