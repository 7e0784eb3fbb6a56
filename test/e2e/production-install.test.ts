import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openKvClient } from '../support/kv-client.ts';
import { openTempDir } from '../support/open-temp-dir.ts';
import { REPOSITORY, runConcord } from '../support/run-concord.ts';
import { outputOf } from '../support/run-program.ts';
import { startEtcd } from '../support/start-etcd.ts';

const INSTALL_TIMEOUT_MS = 120_000;

describe('what the Dockerfile copies and installs', () => {
  it('suffices to run a gateway', { timeout: 2 * INSTALL_TIMEOUT_MS }, async () => {
    await using app = await openTempDir();
    const dockerfile = await readFile(join(REPOSITORY, 'Dockerfile'), 'utf8');
    for (const name of copiedNames(dockerfile))
      await cp(join(REPOSITORY, name), join(app.path, name), { recursive: true });
    const [, install] = /^RUN (npm ci .*)$/m.exec(dockerfile) ?? [];
    expect(install).toContain('npm ci --omit=dev --ignore-scripts');
    await outputOf('sh', ['-c', `cd "$1" && ${install} --prefer-offline`, 'sh', app.path], {
      timeoutMs: INSTALL_TIMEOUT_MS,
    });

    await using etcd = await startEtcd();
    await using concord = await runConcord({
      cwd: app.path,
      env: { ETCD_ENDPOINTS: etcd.endpoint, NODE_ENV: 'production' },
    });
    const kv = openKvClient(concord.url);
    await kv.put({ key: 'greeting', value: 'hello' });
    expect((await kv.get({ key: 'greeting' })).kv?.value).toBe('hello');
    expect((await fetch(`${concord.url}/docs/swagger-ui-bundle.js`)).status).toBe(200);
    expect((await fetch(`${concord.url}/openapi.json`)).status).toBe(200);
    concord.signal('SIGTERM');
    expect(await concord.exited).toEqual({ code: 0, signal: null });
  });
});

/** The names that a Dockerfile copies from the build context. */
function copiedNames(dockerfile: string): readonly string[] {
  const lines = [...dockerfile.matchAll(/^COPY (?!--from)(.+)$/gm)];
  return [...new Set(lines.flatMap(([, names = '']) => names.split(/\s+/).slice(0, -1)))];
}
