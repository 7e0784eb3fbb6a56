import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { openTempDir } from '../../support/open-temp-dir.ts';
import { type CliOptions, runCli, startCli } from '../../support/run-cli.ts';
import { type RunningConcord, runConcord } from '../../support/run-concord.ts';

const TIMEOUT_MS = 120_000;
const WAIT_MS = 60_000;
const TOKEN = 'a-token-of-the-tests';

let concord: RunningConcord;

beforeAll(async () => {
  const key = Buffer.alloc(32, 7).toString('base64');
  concord = await runConcord({ env: { CONCORD_SECRET_KEYS: `k1:${key}`, CONCORD_SECRET_TOKENS: TOKEN } });
}, TIMEOUT_MS);

afterAll(() => concord?.[Symbol.asyncDispose]());

describe('concord config', { timeout: TIMEOUT_MS }, () => {
  it('sets, shows, lists and deletes items', async () => {
    expect(await run(['config', 'set', 'items', 'color', 'green', '--comment', 'first'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^revision \d+, version 1\n$/),
    });
    expect((await run(['config', 'get', 'items', 'color'])).stdout).toBe('green\n');
    expect((await run(['config', 'get', 'items', 'color', '-n'])).stdout).toBe('green');
    expect(JSON.parse((await run(['config', 'get', 'items', 'color', '--json'])).stdout)).toMatchObject({
      item: { value: 'green', comment: 'first', author: expect.stringMatching(/./) },
    });
    const set = await run([
      'config',
      'set',
      'items',
      'limit',
      '10',
      '--type',
      'number',
      '--author',
      'me',
      '--json',
    ]);
    expect(JSON.parse(set.stdout)).toMatchObject({
      item: { contentType: 'CONTENT_TYPE_NUMBER', author: 'me' },
    });
    expect((await run(['config', 'get', 'items'])).stdout).toMatch(
      /^KEY +VALUE +TYPE +VERSION +AUTHOR +CHANGED\ncolor +green +text +1 +\S+ +\S+Z\nlimit +10 +number +1 +me +\S+Z\n$/,
    );
    expect(JSON.parse((await run(['config', 'get', 'items', '--json'])).stdout)).toMatchObject({
      items: [{ key: 'color' }, { key: 'limit' }],
    });
    expect((await run(['config', 'apps', 'items'])).stdout).toMatch(
      /^APPLICATION +ITEMS +PROFILES\nitems +2 +default\n$/,
    );
    expect(JSON.parse((await run(['config', 'apps', '--json'])).stdout)).toHaveProperty('applications');
    expect(await run(['config', 'delete', 'items', 'limit'])).toMatchObject({
      code: 0,
      stdout: 'deleted 1\n',
    });
    expect(await run(['config', 'delete', 'items', 'limit', '--json'])).toMatchObject({ code: 3 });
    expect(await run(['config', 'get', 'items', 'limit'])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('(CONFIG_ITEM_NOT_FOUND)'),
    });
  });

  it('takes values from standard input and files, byte for byte', async () => {
    const input = Buffer.from([0, 1, 254, 255, 10]);
    await run(['config', 'set', 'bytes', 'in', '-'], { input });
    expect((await run(['config', 'get', 'bytes', 'in', '-n'])).stdoutBytes.equals(input)).toBe(true);
    await using folder = await openTempDir();
    await writeFile(`${folder.path}/value`, input);
    await run(['config', 'set', 'bytes', 'file', '--file', `${folder.path}/value`]);
    expect((await run(['config', 'get', 'bytes', 'file', '-n'])).stdoutBytes.equals(input)).toBe(true);
  });

  it('refuses a value that is not what it is said to be: 1, and a change of what was changed: 4', async () => {
    expect(await run(['config', 'set', 'refused', 'limit', 'ten', '--type', 'number'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('(CONFIG_VALUE_INVALID)'),
    });
    await run(['config', 'set', 'refused', 'color', 'red']);
    expect(
      await run(['config', 'set', 'refused', 'color', 'blue', '--expected-revision', '0']),
    ).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('(REVISION_MISMATCH)'),
    });
  });

  it('shows secrets to those alone who may see them: 6', async () => {
    await run(['config', 'set', 'secrets', 'password', 'hunter2', '--secret']);
    expect((await run(['config', 'get', 'secrets'])).stdout).toMatch(/password +\(secret\)/);
    expect(await run(['config', 'get', 'secrets', 'password'])).toMatchObject({ code: 6, stdout: '' });
    expect(await run(['config', 'get', 'secrets', 'password', '--reveal'])).toMatchObject({
      code: 6,
      stdout: '',
      stderr: expect.stringContaining('(SECRET_ACCESS_DENIED)'),
    });
    expect((await run(['config', 'get', 'secrets', 'password', '--reveal', '--token', TOKEN])).stdout).toBe(
      'hunter2\n',
    );
    const byEnvironment = await run(['config', 'export', 'secrets', '--reveal'], {
      env: { CONCORD_TOKEN: TOKEN },
    });
    expect(JSON.parse(byEnvironment.stdout)).toEqual({ password: 'hunter2' });
    expect((await run(['config', 'export', 'secrets'])).stderr).toContain(
      'left out, since they are secret: password',
    );
  });

  it('has history, compares, and rolls back', async () => {
    for (const value of ['one', 'two']) await run(['config', 'set', 'past', 'key', value, '--author', 'me']);
    expect((await run(['config', 'diff', 'past', 'key', '--from', '1'])).stdout).toBe(
      '- key = one\n+ key = two\n',
    );
    expect(
      JSON.parse((await run(['config', 'diff', 'past', 'key', '--from', '1', '--to', '2', '--json'])).stdout),
    ).toMatchObject({
      changes: [{ type: 'TYPE_UPDATED' }],
    });
    expect(await run(['config', 'rollback', 'past', 'key', '1'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/version 3\n$/),
    });
    expect((await run(['config', 'get', 'past', 'key'])).stdout).toBe('one\n');
    const lines = (await run(['config', 'history', 'past', 'key'])).stdout.split('\n');
    expect(lines[0]).toMatch(/^VERSION +CHANGED +AUTHOR +VALUE +TYPE +COMMENT$/);
    expect(lines[1]).toMatch(/^ +3 +\S+Z +\S+ +one +text +\(rollback to 1\)$/);
    expect(lines[2]).toMatch(/^ +2 +\S+Z +me +two +text$/);
    const limited = JSON.parse(
      (await run(['config', 'history', 'past', 'key', '--limit', '1', '--json'])).stdout,
    ) as { versions: unknown[] };
    expect(limited.versions).toHaveLength(1);
    expect((await run(['config', 'rollback', 'past', 'key', '99', '--json'])).code).toBe(3);
    expect((await run(['config', 'diff', 'past', 'key'])).code).toBe(2);
  });

  it('lays profiles over one another, and compares them', async () => {
    await run(['config', 'set', 'layers', 'color', 'green']);
    await run(['config', 'set', 'layers', 'color', 'red', '--profile', 'prod']);
    expect((await run(['config', 'get', 'layers', 'color', '--profile', 'prod'])).stdout).toBe('red\n');
    expect((await run(['config', 'get', 'layers', '--effective', '--profile', 'prod'])).stdout).toMatch(
      /^KEY +VALUE +FROM +HIDES\ncolor +red +prod +default\n$/,
    );
    expect(
      JSON.parse(
        (await run(['config', 'get', 'layers', '--effective', '--profile', 'prod', '--json'])).stdout,
      ),
    ).toHaveProperty('items');
    expect((await run(['config', 'diff', 'layers', '--to-profile', 'prod'])).stdout).toBe(
      '- color = green\n+ color = red\n',
    );
  });

  it('publishes from flags and JSON, all or none, and first without writing', async () => {
    await run(['config', 'set', 'many', 'old', '1']);
    const flags = ['config', 'publish', 'many', '--set', 'a=1', '--set', 'b=x=y', '--delete', 'old'];
    expect((await run([...flags, '--dry-run'])).stdout).toMatch(
      /^\+ a = 1\n\+ b = x=y\n- old = 1\nwould change 3 at revision \d+\n$/,
    );
    expect((await run(['config', 'get', 'many', 'old'])).code).toBe(0);
    expect((await run(flags)).stdout).toMatch(/\nchanged 3 at revision \d+\n$/);
    expect((await run(flags)).stdout).toBe('nothing changes\n');
    const input = JSON.stringify({
      puts: [{ key: 'n', value: '5', contentType: 'CONTENT_TYPE_NUMBER' }],
      deletes: ['a'],
    });
    const published = await run(['config', 'publish', 'many', '-', '--json'], { input });
    expect(JSON.parse(published.stdout)).toMatchObject({
      changes: [{ item: { key: 'n' } }, { type: 'TYPE_DELETED', item: { key: 'a' } }],
    });
    expect((await run(['config', 'publish', 'many', '-'], { input: 'nonsense' })).code).toBe(2);
  });

  it('watches, acknowledges, and has a publication wait for that', async () => {
    await run(['config', 'set', 'live', 'color', 'green']);
    await using silent = startCli(['config', 'watch', 'live', '--json'], { server: concord.url });
    await eventually(
      () => expect(JSON.parse(silent.stdout)).toMatchObject({ item: { key: 'color' } }),
      WAIT_MS,
    );
    const tooFew = await run([
      'config',
      'publish',
      'live',
      '--set',
      'color=blue',
      '--wait',
      '100',
      '--wait-time',
      '500ms',
    ]);
    expect(tooFew).toMatchObject({
      code: 5,
      stderr: 'concord: it is published, and 0 of 1 run with it (DEADLINE_EXCEEDED)\n',
    });
    silent.signal('SIGINT');
    expect(await silent.exited).toEqual({ code: 0, signal: null });
    await using watch = startCli(['config', 'watch', 'live', '--acknowledge'], { server: concord.url });
    await eventually(() => expect(watch.stdout).toBe('PRESENT  color = blue\n'), WAIT_MS);
    await eventually(async () => {
      const { code, stderr } = await run([
        'config',
        'publish',
        'live',
        '--set',
        `color=${Date.now()}`,
        '--wait',
        '100',
        '--wait-time',
        '20s',
      ]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    }, WAIT_MS);
    await run(['config', 'delete', 'live', 'color']);
    await eventually(() => expect(watch.stdout).toMatch(/\nDELETED {2}color\n$/), WAIT_MS);
  });

  it('exports and imports in every format', async () => {
    await run(['config', 'publish', 'moved', '--set', 'a=1', '--set', 'b=two']);
    for (const format of ['json', 'yaml', 'properties', 'dotenv']) {
      const { stdout: input } = await run(['config', 'export', 'moved', '--format', format]);
      expect(
        await run(['config', 'import', `moved-${format}`, '-', '--format', format], { input }),
      ).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(
          /^\+ a = 1\n\+ b = two\ncreated 2, updated 0, deleted 0, unchanged 0, at revision \d+\n$/,
        ),
        // Its bar is for terminals.
        stderr: '',
      });
    }
    expect(JSON.parse((await run(['config', 'export', 'moved', '--json'])).stdout)).toHaveProperty('text');
    await using folder = await openTempDir();
    await writeFile(`${folder.path}/more.yaml`, 'b: three\nc: 4\n');
    const import_ = ['config', 'import', 'moved', `${folder.path}/more.yaml`, '--replace'];
    expect((await run([...import_, '--dry-run'])).stdout).toMatch(
      /created 1, updated 1, deleted 1, unchanged 0; nothing is written\n$/,
    );
    expect(JSON.parse((await run([...import_, '--json'])).stdout)).toMatchObject({
      createdCount: 1,
      deletedCount: 1,
    });
    expect(await run(['config', 'import', 'moved', '-'], { input: '{}' })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--format'),
    });
  });
});

function run(args: readonly string[], options: CliOptions = {}) {
  return runCli(args, { server: concord.url, ...options });
}
