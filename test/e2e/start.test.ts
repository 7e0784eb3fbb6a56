import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { DEFINITIONS, flagName } from '../../src/settings/definitions.ts';
import { findTestEtcd } from '../support/find-test-etcd.ts';
import { type RunningConcord, runConcord, spawnConcord } from '../support/run-concord.ts';
import { outputOf } from '../support/run-program.ts';
import { startEtcd } from '../support/start-etcd.ts';
import { findOnPath } from '../support/test-program.ts';

const curl = await findOnPath('curl');

describe('the banner', () => {
  let concord: RunningConcord;

  beforeAll(async () => {
    concord = await runConcord({ env: { CONCORD_LISTEN: '127.0.0.1:0,127.0.0.1:0' } });
  });

  afterAll(async () => {
    await concord?.[Symbol.asyncDispose]();
  });

  it('has a line for each listener, each of which serves', async () => {
    expect(concord.urls).toHaveLength(2);
    expect(new Set(concord.urls).size).toBe(2);
    for (const url of concord.urls) expect((await fetch(`${url}/readyz`)).status).toBe(200);
  });

  it('tells the version of Concord, that of etcd, and where its data is', async () => {
    const { version } = await findTestEtcd();
    expect(concord.stdout).toContain(`Concord ${packageJson.version}`);
    expect(concord.stdout).toContain(`  etcd       ${version}, run here, data in ${concord.dataDir}\n`);
  });

  it('goes to standard output alone, and is all that does', () => {
    expect(concord.stdout.trim().split('\n')).toHaveLength(6);
    expect(concord.stderr).not.toContain('listening');
  });

  it(`names a next command, which works${curl.kind === 'found' ? '' : ` (sent without curl: ${curl.why})`}`, async () => {
    const [, command = ''] = /^ +try +([\s\S]*)$/m.exec(concord.stdout) ?? [];
    expect(command).toMatch(/^curl /);
    const answer: unknown = JSON.parse(
      curl.kind === 'found' ? await outputOf('sh', ['-c', command]) : await sendLikeCurl(command),
    );
    expect(answer).toMatchObject({ version: '1', revision: expect.stringMatching(/^\d+$/) });
  });
});

describe('a gateway on an etcd that others run', () => {
  it('says so in its banner, and keeps no data', async () => {
    await using etcd = await startEtcd();
    await using concord = await runConcord({ env: { ETCD_ENDPOINTS: etcd.endpoint } });
    expect(concord.stdout).toContain(`etcd       ${etcd.version}, of the endpoints given\n`);
    expect(concord.stderr).not.toContain('embedded etcd');
  });

  it('starts, and is not ready, while etcd does not answer', async () => {
    await using concord = await runConcord({
      env: { ETCD_ENDPOINTS: 'http://127.0.0.1:1', ETCD_TIMEOUT: '200ms' },
    });
    expect(concord.stdout).toContain('not reachable yet');
    expect((await fetch(`${concord.url}/healthz`)).status).toBe(200);
    expect((await fetch(`${concord.url}/readyz`)).status).toBe(503);
    concord.signal('SIGTERM');
    expect(await concord.exited).toMatchObject({ code: 0 });
  });

  it('logs that it is not ready, and why, when etcd does not answer from the start', async () => {
    await using concord = await runConcord({
      env: { ETCD_ENDPOINTS: 'http://127.0.0.1:1', ETCD_TIMEOUT: '200ms' },
    });
    expect((await fetch(`${concord.url}/readyz`)).status).toBe(503);
    concord.signal('SIGTERM');
    await concord.exited;
    expect(concord.stderr).toContain('not ready');
    expect(concord.stderr).toMatch(/does not answer/);
  });
});

describe('the command line', () => {
  it.each(['--help', '-h'])('lists every setting on %s', async (flag) => {
    await using concord = await spawnConcord({ args: [flag] });
    expect(await concord.exited).toEqual({ code: 0, signal: null });
    expect(concord.stderr).toBe('');
    for (const definition of Object.values(DEFINITIONS)) {
      expect(concord.stdout).toContain(`--${flagName(definition)}  (${definition.env})`);
    }
  });

  it.each(['--version', '-v'])('prints the version on %s', async (flag) => {
    await using concord = await spawnConcord({ args: [flag] });
    expect(await concord.exited).toEqual({ code: 0, signal: null });
    expect(concord.stdout).toBe(`${packageJson.version}\n`);
    expect(concord.stderr).toBe('');
  });

  it('wins over the environment', async () => {
    await using etcd = await startEtcd();
    await using concord = await runConcord({
      args: ['--etcd-endpoints', etcd.endpoint, '--log-level=error'],
      env: { ETCD_ENDPOINTS: 'http://127.0.0.1:1', CONCORD_LOG_LEVEL: 'debug' },
    });
    expect((await fetch(`${concord.url}/readyz`)).status).toBe(200);
    expect(concord.stderr).toBe('');
  });
});

/** Sends what a curl command of the banner would. */
async function sendLikeCurl(command: string): Promise<string> {
  const [, body] = /-d '([^']*)'/.exec(command) ?? [];
  const [, contentType] = /-H "content-type: ([^"]*)"/.exec(command) ?? [];
  const [url] = /http:\S+/.exec(command) ?? [];
  if (body === undefined || contentType === undefined || url === undefined)
    throw new Error(`not sent: ${command}`);
  const response = await fetch(url, { method: 'POST', body, headers: { 'content-type': contentType } });
  return response.text();
}
