import { readFile } from 'node:fs/promises';
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ElectionService } from '../../../gen/concord/election/v1/election_service_pb.ts';
import { LockService } from '../../../gen/concord/lock/v1/lock_service_pb.ts';
import { awaitProcessEnd } from '../../support/await-process-end.ts';
import { eventually } from '../../support/eventually.ts';
import { openTempDir } from '../../support/open-temp-dir.ts';
import { type RestartableConcord, runRestartableConcord } from '../../support/restartable-concord.ts';
import { type CliOptions, runCli, startCli } from '../../support/run-cli.ts';
import { PINNED_NODE, REPOSITORY } from '../../support/run-concord.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';

const TIMEOUT_MS = 120_000;
const WAIT_MS = 60_000;
/** Long enough for a gateway to come back on a machine with much else to do. */
const PATIENT = ['--ttl', '120s', '--grace', '80s'];
const CONCORD = `"${PINNED_NODE}" "${REPOSITORY}/src/cli/main.ts"`;

let etcd: TestEtcd;
let concord: RestartableConcord;

beforeAll(async () => {
  etcd = await startEtcd();
  concord = await runRestartableConcord(etcd.endpoint);
}, TIMEOUT_MS);

afterAll(async () => {
  await concord?.[Symbol.asyncDispose]();
  await etcd?.stop();
});

describe('concord lock', { timeout: TIMEOUT_MS }, () => {
  it('runs a command under the lock, with its name and token, and ends as it does', async () => {
    const script = 'echo "$CONCORD_LOCK_NAME $CONCORD_FENCING_TOKEN"; exit 7';
    expect(await run(['lock', 'l/run', '--', 'sh', '-c', script])).toEqual({
      code: 7,
      stdout: expect.stringMatching(/^l\/run \d+\n$/),
      stderr: '',
      stdoutBytes: expect.anything(),
    });
    expect(await holdersOf('l/run')).toBe(0);
  });

  it('ends with 128 and the signal where one ended the command, 127 where there is none', async () => {
    expect((await run(['lock', 'l/codes', '--', 'sh', '-c', 'kill -9 $$'])).code).toBe(137);
    expect(await run(['lock', 'l/codes', '--', '/no/such/command'])).toMatchObject({
      code: 127,
      stderr: 'concord: /no/such/command cannot be run: there is no such command\n',
    });
  });

  it('hands standard input to the command, and its flags', async () => {
    expect(await run(['lock', 'l/stdin', '--', 'cat', '-'], { input: 'x\u0000y' })).toMatchObject({
      code: 0,
      stdout: 'x\u0000y',
    });
  });

  it('fences writes under the lock with put --fenced, and refuses them outside', async () => {
    const script = `${CONCORD} put l/fenced/key done --fenced`;
    expect(await run(['lock', 'l/fenced', '--', 'sh', '-c', script])).toMatchObject({ code: 0 });
    const stale = { CONCORD_LOCK_NAME: 'l/fenced', CONCORD_FENCING_TOKEN: '1' };
    expect(await run(['put', 'l/fenced/key', 'late', '--fenced'], { env: stale })).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('(FENCE_LOST)'),
    });
    expect(await run(['put', 'l/fenced/key', 'late', '--fenced'])).toMatchObject({ code: 2 });
  });

  it('prints the token without a command, holds until SIGINT, and gives it up then', async () => {
    await using holder = startCli(['lock', 'l/hold', ...PATIENT], { server: concord.url });
    await eventually(() => expect(holder.stdout).toMatch(/^\d+\n$/), WAIT_MS);
    expect(await run(['lock', 'l/hold', '--wait', '0s', '--', 'echo', 'never'])).toMatchObject({
      code: 4,
      stdout: '',
      stderr: expect.stringContaining('(LOCK_HELD)'),
    });
    const { stdout: table } = await run(['locks', 'l/hold']);
    expect(table).toMatch(
      /^LOCK +MODE +TOKEN +HELD BY +SINCE +WAITING\nl\/hold +mutex +\d+ +\S+@\S+ +\S+Z +0\n$/,
    );
    const { locks } = JSON.parse((await run(['locks', 'l/hold', '--json'])).stdout) as { locks: unknown[] };
    expect(locks).toHaveLength(1);
    holder.signal('SIGINT');
    expect(await holder.exited).toEqual({ code: 0, signal: null });
    expect(await holdersOf('l/hold')).toBe(0);
  });

  it('waits for its turn, and leaves the queue when it is told to end', async () => {
    await using holder = startCli(['lock', 'l/queue', '--json', ...PATIENT], { server: concord.url });
    await eventually(() => expect(JSON.parse(holder.stdout)).toHaveProperty('fencingToken'), WAIT_MS);
    await using second = startCli(['lock', 'l/queue', ...PATIENT, '--', 'echo', 'second'], {
      server: concord.url,
    });
    await eventually(
      () => expect(second.stderr).toContain('waiting for lock "l/queue", 1 before us'),
      WAIT_MS,
    );
    await using third = startCli(['lock', 'l/queue', ...PATIENT], { server: concord.url });
    await eventually(() => expect(third.stderr).toContain('waiting'), WAIT_MS);
    third.signal('SIGTERM');
    expect(await third.exited).toEqual({ code: 143, signal: null });
    expect(await waitersOf('l/queue')).toBe(1);
    holder.signal('SIGTERM');
    expect(await second.exited).toEqual({ code: 0, signal: null });
    expect(second.stdout).toBe('second\n');
  });

  it('hands signals on to the command and ends as it does', async () => {
    const script = `trap 'echo caught; exit 9' TERM; echo ready; while :; do sleep 0.1; done`;
    await using cli = startCli(['lock', 'l/signal', ...PATIENT, '--', 'sh', '-c', script], {
      server: concord.url,
    });
    await eventually(() => expect(cli.stdout).toBe('ready\n'), WAIT_MS);
    cli.signal('SIGTERM');
    expect(await cli.exited).toEqual({ code: 9, signal: null });
    expect(cli.stdout).toBe('ready\ncaught\n');
    expect(await holdersOf('l/signal')).toBe(0);
  });

  it('ends the command and what it started, also what does not listen, when the lock is lost: 4', async () => {
    await using folder = await openTempDir();
    const script = `trap '' TERM; echo $$ > "${folder.path}/pids"; sh -c 'trap "" TERM; echo $$ >> "${folder.path}/pids"; while :; do sleep 1; done' & while :; do sleep 1; done`;
    await using cli = startCli(['lock', 'l/lost', ...PATIENT, '--', 'sh', '-c', script], {
      server: concord.url,
    });
    const pids = await eventually(async () => {
      const lines = (await readFile(`${folder.path}/pids`, 'utf8')).trim().split('\n');
      expect(lines).toHaveLength(2);
      return lines.map(Number);
    }, WAIT_MS);
    await locks().break({ name: 'l/lost', reason: 'a test' });
    expect(await cli.exited).toEqual({ code: 4, signal: null });
    expect(cli.stderr).toMatch(/concord: the lock "l\/lost" is lost: .*\(LOCK_LOST\)\n$/);
    for (const pid of pids) await awaitProcessEnd(pid);
  });

  it('goes on holding, under the same token, when the gateway is killed and comes back', async () => {
    await using folder = await openTempDir();
    const script = `echo $CONCORD_FENCING_TOKEN; until [ -e "${folder.path}/end" ]; do sleep 0.1; done; exit 3`;
    await using cli = startCli(['lock', 'l/restart', ...PATIENT, '--', 'sh', '-c', script], {
      server: concord.url,
    });
    await eventually(() => expect(cli.stdout).toMatch(/^\d+\n$/), WAIT_MS);
    const token = BigInt(cli.stdout.trim());
    await concord.kill();
    await eventually(() => expect(cli.stderr).toContain('connecting again'), WAIT_MS);
    await concord.start();
    await eventually(() => expect(cli.stderr).toContain('connected again'), WAIT_MS);
    expect((await locks().verify({ name: 'l/restart', fencingToken: token })).held).toBe(true);
    await runCli([], { program: ['touch', `${folder.path}/end`] });
    expect(await cli.exited).toEqual({ code: 3, signal: null });
    expect(await holdersOf('l/restart')).toBe(0);
  });

  it('ends the command when no gateway comes back in time: 4', async () => {
    await using gone = await runRestartableConcord(etcd.endpoint);
    await using cli = startCli(
      ['lock', 'l/gone', '--ttl', '6s', '--grace', '4s', '--', 'sh', '-c', 'echo ready; sleep 600'],
      { server: gone.url },
    );
    await eventually(() => expect(cli.stdout).toBe('ready\n'), WAIT_MS);
    await gone.kill();
    expect(await cli.exited).toEqual({ code: 4, signal: null });
    expect(cli.stderr).toContain('is lost: no gateway renewed it in time (LOCK_LOST)');
  });

  it('refuses what does not go together: 2, or 4 where the lock is used otherwise', async () => {
    for (const args of [
      ['l/x', '--permits', '2'],
      ['l/x', '--mode', 'semaphore'],
      ['l/x', '--mode', 'none'],
      ['--', 'echo'],
    ])
      expect(await run(['lock', ...args])).toMatchObject({ code: 2, stdout: '' });
    await using holder = startCli(['lock', 'l/mode', '--mode', 'semaphore', '--permits', '2', ...PATIENT], {
      server: concord.url,
    });
    await eventually(() => expect(holder.stdout).not.toBe(''), WAIT_MS);
    expect(await run(['lock', 'l/mode', '--', 'echo'])).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('(LOCK_MODE_MISMATCH)'),
    });
  });
});

describe('concord elect', { timeout: TIMEOUT_MS }, () => {
  it('runs a command while it leads, and steps down with it', async () => {
    const script = 'echo "$CONCORD_ELECTION_NAME $CONCORD_FENCING_TOKEN"; exit 5';
    expect(await run(['elect', 'e/run', 'me', '--', 'sh', '-c', script])).toMatchObject({
      code: 5,
      stdout: expect.stringMatching(/^e\/run \d+\n$/),
    });
    expect(await run(['elect', '--resign', 'e/run'])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('(NO_LEADER)'),
    });
  });

  it('has others observe who leads, and have it step down: 4', async () => {
    await using observer = startCli(['elect', '--observe', 'e/seen'], { server: concord.url });
    await eventually(() => expect(observer.stdout).toBe('VACANT\n'), WAIT_MS);
    await using json = startCli(['elect', '--observe', 'e/seen', '--json'], { server: concord.url });
    await using leader = startCli(['elect', 'e/seen', 'me', ...PATIENT], { server: concord.url });
    await eventually(() => expect(leader.stdout).toMatch(/^\d+\n$/), WAIT_MS);
    await eventually(
      () => expect(observer.stdout).toMatch(/^VACANT\nLEADER {2}me {2}term \d+ {2}since \S+Z\n$/),
      WAIT_MS,
    );
    expect(await run(['elect', '--resign', 'e/seen'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^term \d+ ended at revision \d+\n$/),
    });
    expect(await leader.exited).toEqual({ code: 4, signal: null });
    expect(leader.stderr).toContain('(LEADERSHIP_LOST)');
    await eventually(() => expect(observer.stdout.split('\n')).toHaveLength(4), WAIT_MS);
    observer.signal('SIGINT');
    expect(await observer.exited).toEqual({ code: 0, signal: null });
    await eventually(() => expect(json.stdout).toContain('KIND_VACANT'), WAIT_MS);
  });

  it('steps down on SIGINT without a command', async () => {
    await using leader = startCli(['elect', 'e/int', 'me', '--json', ...PATIENT], { server: concord.url });
    await eventually(
      () => expect(JSON.parse(leader.stdout)).toMatchObject({ state: 'STATE_LEADER' }),
      WAIT_MS,
    );
    leader.signal('SIGINT');
    expect(await leader.exited).toEqual({ code: 0, signal: null });
    const { leader: now } = await createClient(
      ElectionService,
      createGrpcTransport({ baseUrl: concord.url }),
    ).listCandidates({ name: 'e/int' });
    expect(now).toBeUndefined();
  });

  it('needs an election and a value, or one of its other uses: 2', async () => {
    for (const args of [
      ['e/x'],
      ['e/x', '--', 'echo'],
      ['--observe', '--resign', 'e/x'],
      ['--observe', 'e/x', 'value'],
    ])
      expect(await run(['elect', ...args])).toMatchObject({ code: 2, stdout: '' });
  });
});

function run(args: readonly string[], options: CliOptions = {}) {
  return runCli(args, { server: concord.url, ...options });
}

function locks() {
  return createClient(LockService, createGrpcTransport({ baseUrl: concord.url }));
}

async function holdersOf(name: string): Promise<number> {
  return (await locks().get({ name })).lock?.holders.length ?? 0;
}

async function waitersOf(name: string): Promise<number> {
  return (await locks().get({ name })).lock?.waiterCount ?? 0;
}
