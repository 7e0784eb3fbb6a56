import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCommand } from '../../../src/embedded/run-command.ts';
import { type EmbeddedEtcd, startEmbeddedEtcd } from '../../../src/embedded/start-embedded-etcd.ts';
import { awaitProcessEnd } from '../../support/await-process-end.ts';
import { FAST_ELECTION } from '../../support/fast-election.ts';
import { findTestEtcd } from '../../support/find-test-etcd.ts';
import { openTempDir } from '../../support/open-temp-dir.ts';
import { createRecordingLog, type RecordingLog } from '../../support/recording-log.ts';
import { getKey, putKey } from './etcd-gateway.ts';
import { startOwner } from './owner-process.ts';

const TIMEOUT_MS = 120_000;
const found = await findTestEtcd();

function start(dataDir: string, log: RecordingLog = createRecordingLog()): Promise<EmbeddedEtcd> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  return startEmbeddedEtcd(
    { ...found, dataDir, log, unsafeNoFsync: true, extraArguments: FAST_ELECTION },
    { signal },
  );
}

/** Kills the process that would end etcd when its owner dies: the other one in etcd's group. */
async function killWatcher(etcdPid: number): Promise<void> {
  const signal = AbortSignal.timeout(30_000);
  const table = await runCommand('ps', ['-A', '-o', 'pid=,pgid='], { signal });
  const pids = table
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter(([pid, group]) => group === etcdPid && pid !== etcdPid)
    .map(([pid = 0]) => pid);
  expect(pids).toHaveLength(1);
  for (const pid of pids) process.kill(pid, 'SIGKILL');
}

describe('the owner of an embedded etcd', { timeout: TIMEOUT_MS }, () => {
  it('takes its etcd with it when it is killed', async () => {
    await using temp = await openTempDir();
    await using owner = await startOwner(found, temp.path);
    await owner.end('SIGKILL');
    await awaitProcessEnd(owner.etcd.pid);
  });

  it('takes its etcd with it when it exits without stopping it', async () => {
    await using temp = await openTempDir();
    await using owner = await startOwner(found, temp.path);
    expect(await owner.end('SIGUSR2')).toBe(3);
    await awaitProcessEnd(owner.etcd.pid);
  });

  it('is followed by another at once when it is killed', async () => {
    await using temp = await openTempDir();
    await using owner = await startOwner(found, temp.path);
    await putKey(owner.etcd.endpoint, 'greeting', 'hello');
    await owner.end('SIGKILL');

    await using etcd = await start(temp.path);
    await awaitProcessEnd(owner.etcd.pid);
    expect(await getKey(etcd.endpoint, 'greeting')).toBe('hello');
  });

  it('is followed by another that ends an etcd left running', async () => {
    await using temp = await openTempDir();
    await using owner = await startOwner(found, temp.path);
    await putKey(owner.etcd.endpoint, 'greeting', 'hello');
    await killWatcher(owner.etcd.pid);
    await owner.end('SIGKILL');
    expect(await getKey(owner.etcd.endpoint, 'greeting')).toBe('hello');

    const log = createRecordingLog();
    await using etcd = await start(temp.path, log);
    await awaitProcessEnd(owner.etcd.pid);
    expect(await getKey(etcd.endpoint, 'greeting')).toBe('hello');
    expect(log.entries[0]?.message).toContain('ending the etcd that a killed process left');
  });

  it('can still write when Ctrl-C reaches its whole process group', async () => {
    await using temp = await openTempDir();
    await using owner = await startOwner(found, temp.path);
    expect(await owner.end('SIGINT', true)).toBe(0);
    expect(owner.lines).toEqual([JSON.stringify({ drained: 200 })]);
    await awaitProcessEnd(owner.etcd.pid);

    await using etcd = await start(temp.path);
    expect(await getKey(etcd.endpoint, 'drained')).toBe('yes');
  });

  it('keeps its own environment from etcd', async () => {
    await using temp = await openTempDir();
    const env = { ETCD_DISCOVERY: 'http://127.0.0.1:1/none', ETCD_FORCE_NEW_CLUSTER: 'not\nETCD_a=boolean' };
    await using owner = await startOwner(found, temp.path, env);
    expect(await getKey(owner.etcd.endpoint, 'absent')).toBeUndefined();
  });
});

describe('a data directory', { timeout: TIMEOUT_MS }, () => {
  it('is refused to a second process, and the first is named', async () => {
    await using temp = await openTempDir();
    await using owner = await startOwner(found, temp.path);
    await expect(start(temp.path)).rejects.toThrow(
      `data directory ${temp.path} is in use by process ${owner.pid}`,
    );
    expect(await getKey(owner.etcd.endpoint, 'absent')).toBeUndefined();
    expect(existsSync(join(temp.path, 'etcd.pid'))).toBe(true);
  });

  it('goes to one of several that start at once', async () => {
    await using temp = await openTempDir();
    const starts = await Promise.allSettled(Array.from({ length: 4 }, () => start(temp.path)));
    const started = starts.filter((result) => result.status === 'fulfilled');
    await Promise.all(started.map((result) => result.value.stop()));
    expect(started).toHaveLength(1);
  });

  it.each([
    ['was cut off', '{"owner":'],
    [
      'names a process that has its pid from another',
      `{"owner":{"pid":${process.pid},"startTime":"earlier"}}`,
    ],
  ])('is taken over when its etcd.pid %s', async (_, content) => {
    await using temp = await openTempDir();
    await writeFile(join(temp.path, 'etcd.pid'), content);
    await writeFile(join(temp.path, 'etcd.pid.lock'), '{"pid":1,"startTime":"earlier"}');
    await using etcd = await start(temp.path);
    const pidFile = JSON.parse(await readFile(join(temp.path, 'etcd.pid'), 'utf8'));
    expect(pidFile).toMatchObject({
      owner: { pid: process.pid },
      etcd: { pid: etcd.pid, clientPort: Number(new URL(etcd.endpoint).port), binary: found.binary },
    });
    expect(existsSync(join(temp.path, 'etcd.pid.lock'))).toBe(false);
  });
});
