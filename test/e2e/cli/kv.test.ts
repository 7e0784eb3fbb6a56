import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTempDir } from '../../support/open-temp-dir.ts';
import { type CliOptions, runCli } from '../../support/run-cli.ts';
import { type RunningConcord, runConcord } from '../../support/run-concord.ts';

const TIMEOUT_MS = 120_000;

let concord: RunningConcord;

beforeAll(async () => {
  concord = await runConcord();
}, TIMEOUT_MS);

afterAll(() => concord?.[Symbol.asyncDispose]());

describe('concord put and get', { timeout: TIMEOUT_MS }, () => {
  it('write and print a value, and a newline', async () => {
    expect(await run(['put', 'kv/a', 'one'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^revision \d+, version 1\n$/),
      stderr: '',
    });
    expect(await run(['get', 'kv/a'])).toMatchObject({ code: 0, stdout: 'one\n', stderr: '' });
    expect(await run(['get', '-n', 'kv/a'])).toMatchObject({ code: 0, stdout: 'one' });
  });

  it('print the messages as JSON, one line where it is piped', async () => {
    const put = await run(['put', 'kv/json', '1', '--json']);
    expect(JSON.parse(put.stdout)).toEqual({ revision: expect.any(String), version: '1' });
    const got = await run(['--json', 'get', 'kv/json']);
    expect(JSON.parse(got.stdout)).toMatchObject({ kv: { key: 'kv/json', value: '1', version: '1' } });
    expect(got.stdout.trimEnd()).not.toContain('\n');
  });

  it('take any bytes from standard input and give them back', async () => {
    const input = Buffer.from(Array.from({ length: 4_096 }, (_, at) => (at * 7) % 256));
    await run(['put', 'kv/bytes', '-'], { input });
    expect((await run(['get', '-n', 'kv/bytes'])).stdoutBytes.equals(input)).toBe(true);
    await run(['put', 'kv/empty'], { input: '' });
    expect((await run(['get', 'kv/empty'])).stdout).toBe('\n');
  });

  it('take a value that looks like a flag after --', async () => {
    await run(['put', 'kv/dash', '--', '--json']);
    expect((await run(['get', 'kv/dash'])).stdout).toBe('--json\n');
  });

  it('read an older revision', async () => {
    const { revision } = JSON.parse((await run(['put', 'kv/old', 'before', '--json'])).stdout) as {
      revision: string;
    };
    await run(['put', 'kv/old', 'after']);
    expect((await run(['get', 'kv/old', '--revision', revision])).stdout).toBe('before\n');
  });

  it('attach a key to a lease of its own with --ttl', async () => {
    expect((await run(['put', 'kv/ttl', 'x', '--ttl', '60s'])).stdout).toMatch(/, lease \d+\n$/);
  });

  it('end with 3 where there is no such key, and say so on standard error alone', async () => {
    expect(await run(['get', 'kv/none'])).toMatchObject({
      code: 3,
      stdout: '',
      stderr: expect.stringMatching(/^concord: Key "kv\/none" does not exist .*\(KEY_NOT_FOUND\)\n$/),
    });
    const { code, stdout, stderr } = await run(['get', 'kv/none', '--json']);
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(JSON.parse(stderr)).toMatchObject({
      code: 'not_found',
      reason: 'KEY_NOT_FOUND',
      metadata: { key: 'kv/none' },
    });
  });

  it('end with 4 where another was faster', async () => {
    await run(['put', 'kv/raced', '1']);
    expect(await run(['put', 'kv/raced', '2', '--expected-revision', '0'])).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('(REVISION_MISMATCH)'),
    });
  });
});

describe('concord ls', { timeout: TIMEOUT_MS }, () => {
  beforeAll(async () => {
    for (const key of ['ls/a', 'ls/b', 'ls/b/c', 'ls/d/e']) await run(['put', key, `value of ${key}`]);
  }, TIMEOUT_MS);

  it('lists names as ls does, what has keys below it with a slash', async () => {
    expect((await run(['ls', 'ls'])).stdout).toBe('a\nb\nb/\nd/\n');
    expect(JSON.parse((await run(['ls', 'ls', '--json'])).stdout)).toMatchObject({
      children: [
        { name: 'a', isKey: true },
        { name: 'b', isKey: true, hasChildren: true },
        { name: 'd', hasChildren: true },
      ],
    });
  });

  it('lists the root, and nothing where there is nothing', async () => {
    expect(await run(['ls'])).toMatchObject({ code: 0, stdout: expect.stringContaining('ls/\n') });
    expect(await run(['ls', 'nowhere'])).toMatchObject({ code: 0, stdout: '' });
  });

  it('lists all keys below with -r, and what they hold with -l', async () => {
    expect((await run(['ls', '-r', 'ls/'])).stdout).toBe('ls/a\nls/b\nls/b/c\nls/d/e\n');
    const [titles, first] = (await run(['ls', '-l', 'ls/'])).stdout.split('\n');
    expect(titles).toMatch(/^KEY +VALUE +VERSION +REVISION +LEASE$/);
    expect(first).toMatch(/^ls\/a +value of ls\/a +1 +\d+$/);
    const { kvs } = JSON.parse((await run(['ls', '-r', 'ls/', '--json'])).stdout) as { kvs: unknown[] };
    expect(kvs).toHaveLength(4);
  });
});

describe('concord del', { timeout: TIMEOUT_MS }, () => {
  it('deletes a key once, then there is none: 3', async () => {
    await run(['put', 'del/a', '1']);
    expect(await run(['del', 'del/a'])).toMatchObject({ code: 0, stdout: 'deleted 1\n' });
    expect(await run(['del', 'del/a'])).toMatchObject({ code: 3, stdout: 'deleted 0\n' });
    const again = await run(['del', 'del/a', '--json']);
    expect(again.code).toBe(3);
    expect(JSON.parse(again.stdout)).toHaveProperty('revision');
  });

  it('deletes all with a prefix, but not everything by an empty one', async () => {
    for (const key of ['del/p/1', 'del/p/2']) await run(['put', key, '1']);
    expect(await run(['del', '--prefix', 'del/p/'])).toMatchObject({ code: 0, stdout: 'deleted 2\n' });
    expect(await run(['del', '--prefix', ''])).toMatchObject({ code: 2 });
  });
});

describe('concord txn', { timeout: TIMEOUT_MS }, () => {
  const request = JSON.stringify({
    compares: [{ key: 'txn/a', version: '0' }],
    success: [{ put: { key: 'txn/a', value: '1' } }, { get: { key: 'txn/a' } }],
    failure: [{ get: { key: 'txn/a' } }],
  });

  it('runs a request from standard input or a file, and ends with 4 where the failure branch ran', async () => {
    const first = await run(['txn'], { input: request });
    expect(first).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^success at revision \d+\n {2}put\n {2}get {2}txn\/a {2}1\n$/),
    });
    await using folder = await openTempDir();
    const file = `${folder.path}/txn.json`;
    await writeFile(file, request);
    const second = await run(['txn', file, '--json']);
    expect(second.code).toBe(4);
    expect(JSON.parse(second.stdout)).toMatchObject({ results: [{ get: { kvs: [{ value: '1' }] } }] });
  });

  it('ends with 2 where it is no request', async () => {
    expect(await run(['txn'], { input: '{"nonsense":1}' })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('this is no TxnRequest'),
    });
    expect(await run(['txn', '/no/such/file'])).toMatchObject({ code: 2 });
  });
});

function run(args: readonly string[], options: CliOptions = {}) {
  return runCli(args, { server: concord.url, ...options });
}
