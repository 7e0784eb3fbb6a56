import { existsSync } from 'node:fs';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import {
  type EmbeddedEtcd,
  type EmbeddedEtcdOptions,
  startEmbeddedEtcd,
} from '../../../src/embedded/start-embedded-etcd.ts';
import { awaitProcessEnd } from '../../support/await-process-end.ts';
import { FAST_ELECTION } from '../../support/fast-election.ts';
import { findTestEtcd } from '../../support/find-test-etcd.ts';
import { openTempDir } from '../../support/open-temp-dir.ts';
import { createRecordingLog } from '../../support/recording-log.ts';
import { getKey, putKey } from './etcd-gateway.ts';

const TIMEOUT_MS = 120_000;
const found = await findTestEtcd();

function start(
  dataDir: string,
  more: Partial<EmbeddedEtcdOptions> = {},
  signal: AbortSignal = AbortSignal.timeout(TIMEOUT_MS),
): Promise<EmbeddedEtcd> {
  return startEmbeddedEtcd(
    {
      ...found,
      dataDir,
      log: createRecordingLog(),
      unsafeNoFsync: true,
      extraArguments: FAST_ELECTION,
      ...more,
    },
    { signal },
  );
}

/** A program that is etcd until the file `broken` exists in the folder, and then fails. */
async function writeBreakable(folder: string): Promise<string> {
  const path = join(folder, 'breakable-etcd');
  const check = `[ -e '${folder}/broken' ] && { echo 'broken on purpose' >&2; exit 3; }`;
  await writeFile(path, `#!/bin/sh\n${check}\nexec '${found.binary}' "$@"\n`);
  await chmod(path, 0o755);
  return path;
}

describe('startEmbeddedEtcd', { timeout: TIMEOUT_MS }, () => {
  it('finds what was written when it is stopped and started again', async () => {
    await using temp = await openTempDir();
    const first = await start(temp.path);
    expect(first).toMatchObject({ version: found.version, dataDir: temp.path });
    await putKey(first.endpoint, 'greeting', 'hello');
    await first.stop();

    await using second = await start(temp.path);
    expect(await getKey(second.endpoint, 'greeting')).toBe('hello');
  });

  it('leaves no process when it is stopped, however often', async () => {
    await using temp = await openTempDir();
    const etcd = await start(temp.path);
    const { pid } = etcd;
    await Promise.all([etcd.stop(), etcd.stop()]);
    await etcd.stop();
    await expect(etcd.exited).resolves.toBeUndefined();
    await awaitProcessEnd(pid);
    expect(existsSync(join(temp.path, 'etcd.pid'))).toBe(false);
  });

  it('starts it again on the same endpoint when it crashes', async () => {
    await using temp = await openTempDir();
    const log = createRecordingLog();
    await using etcd = await start(temp.path, { log });
    const { endpoint, pid } = etcd;
    await putKey(endpoint, 'greeting', 'hello');

    process.kill(pid, 'SIGKILL');
    await vi.waitFor(async () => expect(await getKey(endpoint, 'greeting')).toBe('hello'), {
      timeout: 30_000,
      interval: 50,
    });
    expect(etcd.pid).not.toBe(pid);
    expect(etcd.endpoint).toBe(endpoint);
    expect(log.entries).toContainEqual({
      level: 'warn',
      fields: expect.objectContaining({ pid, signal: 'SIGKILL', lines: expect.any(Array) }),
      message: 'etcd ended unasked (it was ended by SIGKILL); starting it again',
    });
  });

  it('is stopped in the middle of a restart', async () => {
    await using temp = await openTempDir();
    const etcd = await start(temp.path);
    const { pid } = etcd;
    process.kill(pid, 'SIGKILL');
    await vi.waitFor(() => expect(etcd.pid).not.toBe(pid), { timeout: 30_000, interval: 1 });
    await etcd.stop();
    await awaitProcessEnd(etcd.pid);
  });

  it('gives up when it crashes again and again', async () => {
    await using temp = await openTempDir();
    const log = createRecordingLog();
    const binary = await writeBreakable(temp.path);
    await using etcd = await start(join(temp.path, 'data'), { binary, log });
    await writeFile(join(temp.path, 'broken'), '');
    process.kill(etcd.pid, 'SIGKILL');

    await expect(etcd.exited).rejects.toThrow(/gave up on etcd after 5 starts.*code 3.*broken on purpose/s);
    expect(log.entries.at(-1)).toMatchObject({ level: 'error', message: 'etcd is not started any more' });
    expect(existsSync(join(temp.path, 'data', 'etcd.pid'))).toBe(false);
  });

  it('says what etcd said when it does not start', async () => {
    await using temp = await openTempDir();
    const failed = start(temp.path, { extraArguments: ['--no-such-flag'] });
    await expect(failed).rejects.toThrow(/etcd did not start.*flag provided but not defined: -no-such-flag/s);
    expect(existsSync(join(temp.path, 'etcd.pid'))).toBe(false);
  });

  it('says that the port it is told is taken', async () => {
    await using temp = await openTempDir();
    await using first = await start(join(temp.path, 'first'));
    const clientPort = Number(new URL(first.endpoint).port);
    await expect(start(join(temp.path, 'second'), { clientPort })).rejects.toThrow(`:${clientPort} is taken`);
  });

  it('ends what it started when it is not healthy in time', async () => {
    await using temp = await openTempDir();
    const binary = join(temp.path, 'sleeping-etcd');
    await writeFile(
      binary,
      `#!/bin/sh\n[ $# = 2 ] && exit 1\necho $$ > '${temp.path}/pid'\necho asleep >&2\nexec sleep 60\n`,
    );
    await chmod(binary, 0o755);
    const failed = start(join(temp.path, 'data'), { binary, startTimeoutMs: 500 });
    await expect(failed).rejects.toThrow(/not healthy within 500 ms\s+asleep/);
    await awaitProcessEnd(Number(await readFile(join(temp.path, 'pid'), 'utf8')));
  });

  it.each([
    ['3.6.14', '3.4.23'],
    ['3.5.21', '3.7.0'],
  ])('refuses data of etcd %s to etcd %s, which would not survive it', async (written, version) => {
    await using temp = await openTempDir();
    await using first = await start(temp.path, { version: written });
    await first.stop();
    const failed = start(temp.path, { version });
    await expect(failed).rejects.toThrow(`is from etcd ${written}, which etcd ${version} cannot take over`);
    expect(existsSync(join(temp.path, 'etcd.pid'))).toBe(false);
  });

  it('ends what it started when the start is aborted', async () => {
    await using temp = await openTempDir();
    const abort = new AbortController();
    const reason = new Error('enough');
    const starting = start(temp.path, {}, abort.signal);
    const pidFile = join(temp.path, 'etcd.pid');
    const pid = await vi.waitFor(async () => JSON.parse(await readFile(pidFile, 'utf8')).etcd.pid, {
      interval: 1,
    });
    abort.abort(reason);
    await expect(starting).rejects.toBe(reason);
    await awaitProcessEnd(pid);
    expect(existsSync(pidFile)).toBe(false);
  });
});
