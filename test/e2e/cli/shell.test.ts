import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { findTestEtcd } from '../../support/find-test-etcd.ts';
import { openTempDir } from '../../support/open-temp-dir.ts';
import { type CliOptions, runCli, startCli } from '../../support/run-cli.ts';
import { PINNED_NODE, REPOSITORY, type RunningConcord, runConcord } from '../../support/run-concord.ts';
import { findOnPath } from '../../support/test-program.ts';

const TIMEOUT_MS = 120_000;
const WAIT_MS = 60_000;
const ESCAPE = '\u001b';
const CONCORD = `"${PINNED_NODE}" "${REPOSITORY}/src/cli/main.ts"`;

const shells = {
  bash: await findOnPath('bash'),
  zsh: await findOnPath('zsh'),
  fish: await findOnPath('fish'),
  script: await findOnPath('script'),
};

const olderNode = await findOlderNode();

let concord: RunningConcord;

beforeAll(async () => {
  concord = await runConcord();
  for (const key of ['s/app/color', 's/app/size', 's/b']) await run(['put', key, 'a value of some length']);
  await run(['config', 'set', 'shop', 'color', 'green']);
}, TIMEOUT_MS);

afterAll(() => concord?.[Symbol.asyncDispose]());

describe('the command line', { timeout: TIMEOUT_MS }, () => {
  it('has help for every command, on standard output, with the exit codes', async () => {
    const { code, stdout, stderr } = await run(['--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('Exit codes:');
    for (const command of [
      'get',
      'txn',
      'register',
      'config set',
      'lock',
      'elect',
      'lease hold',
      'status',
      'completion',
    ]) {
      const help = await run([...command.split(' '), '--help']);
      expect(help).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(`^Usage: concord ${command} `),
        stderr: '',
      });
      for (const line of help.stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(120);
    }
    expect(await run(['--version'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
  });

  it('says in one line what cannot be used, as JSON where that is asked for: 2', async () => {
    expect(await run(['gett'])).toEqual(
      expect.objectContaining({
        code: 2,
        stdout: '',
        stderr: "concord: unknown command 'gett' (Did you mean get?)\n",
      }),
    );
    expect(await run(['get'])).toMatchObject({
      code: 2,
      stderr: "concord: missing required argument 'key'\n",
    });
    expect(await run(['get', 'a', '--server', 'ftp://x'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('expected http://host:port'),
    });
    expect(JSON.parse((await run(['get', '--json'])).stderr)).toEqual({
      code: 'usage',
      message: "missing required argument 'key'",
    });
    expect(await run([])).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/^Usage: concord /),
    });
  });

  it('ends with 5 where no gateway answers, or not in time', async () => {
    const nowhere = { server: 'http://127.0.0.1:1' };
    expect(await run(['get', 'a'], nowhere)).toMatchObject({
      code: 5,
      stderr: expect.stringMatching(
        /^concord: no gateway answers at http:\/\/127\.0\.0\.1:1: .*\(UNAVAILABLE\)\n$/,
      ),
    });
    expect(JSON.parse((await run(['get', 'a', '--json'], nowhere)).stderr)).toMatchObject({
      code: 'unavailable',
    });
    expect(await run(['get', 'a', '--timeout', '1ms'])).toMatchObject({ code: 5 });
  });

  it('has no colours and cuts nothing where it is piped', async () => {
    for (const args of [['ls', '-l', 's/'], ['status'], ['get', 'none'], ['ls', 's']]) {
      const { stdout, stderr } = await run(args, { env: { TERM: 'xterm-256color', COLUMNS: '20' } });
      expect(stdout + stderr).not.toContain(ESCAPE);
      expect(stdout).not.toContain('…');
    }
  });

  if (shells.script.kind === 'missing') {
    it(`is not run on a terminal: ${shells.script.why}`, () => {});
  } else {
    it('has colours and tables that fit on a terminal, unless NO_COLOR is set', async () => {
      const onTerminal = async (env: Record<string, string>) =>
        (
          await run(['-qec', `stty cols 40; ${CONCORD} ls -l s/`, '/dev/null'], {
            program: ['script'],
            env: { TERM: 'xterm', ...env },
          })
        ).stdout.replaceAll('\r', '');
      const coloured = await onTerminal({});
      expect(coloured).toContain(`${ESCAPE}[1mKEY`);
      const plain = await onTerminal({ NO_COLOR: '1' });
      expect(plain).not.toContain(ESCAPE);
      expect(plain).toContain('…');
      for (const line of plain.trimEnd().split('\n')) expect(line.length, line).toBeLessThanOrEqual(40);
    });
  }

  it('shows how the gateway is', async () => {
    const { code, stdout } = await run(['status']);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      new RegExp(`^${concord.url} +serving\n\nSERVICE +STATUS\nconcord\\.kv\\.v1\\.KvService +SERVING\n`),
    );
    expect(stdout).toMatch(/\nconnections +\d+\nstreams +\d+\nwatches +\d+\n/);
    expect(JSON.parse((await run(['status', '--json'])).stdout)).toMatchObject({
      server: concord.url,
      serving: true,
      metrics: { connections: expect.any(Number) },
    });
  });
});

describe('the status of a gateway without etcd', { timeout: TIMEOUT_MS }, () => {
  it('is that nothing serves: 5', async () => {
    await using alone = await runConcord({ env: { ETCD_ENDPOINTS: 'http://127.0.0.1:1' } });
    const status = await run(['status'], { server: alone.url });
    expect(status).toMatchObject({ code: 5, stdout: expect.stringContaining('not serving') });
    expect(status.stdout).toMatch(/\nconcord\.kv\.v1\.KvService +NOT_SERVING\n/);
    expect(await run(['get', 'a'], { server: alone.url })).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('(STORE_UNAVAILABLE)'),
    });
  });
});

describe('concord serve and dev', { timeout: TIMEOUT_MS }, () => {
  it('are a gateway, until SIGTERM', async () => {
    const { binary } = await findTestEtcd();
    await using folder = await openTempDir();
    const env = { CONCORD_LISTEN: '127.0.0.1:0', CONCORD_ETCD_BINARY: binary, CONCORD_DATA_DIR: folder.path };
    for (const [args, shown] of [
      [['serve'], /"level":"info"/],
      [['dev', '--data-dir', folder.path], / debug /],
      [['dev', '--data-dir', folder.path, '--workers', '2'], / debug .* worker=\d/],
    ] as const) {
      const cluster = args[0] === 'dev' ? { ETCD_ENDPOINTS: 'http://127.0.0.1:1' } : {};
      await using gateway = startCli(args, { env: { ...env, ...cluster } });
      const url = await eventually(() => {
        const found = /listening +(\S+)[\s\S]*\n$/.exec(gateway.stdout)?.[1];
        expect(found, gateway.stderr).toBeDefined();
        return found ?? '';
      }, WAIT_MS);
      expect(await run(['put', 'a', args[0]], { server: url })).toMatchObject({ code: 0 });
      gateway.signal('SIGTERM');
      expect(await gateway.exited, gateway.stderr).toEqual({ code: 0, signal: null });
      expect(gateway.stderr).toMatch(shown);
    }
  });

  it('have the help and the errors of the settings', async () => {
    expect((await run(['serve', '--help'])).stdout).toContain('--etcd-endpoints  (ETCD_ENDPOINTS)');
    expect(await run(['serve', '--listen', 'nowhere'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--listen is "nowhere"'),
    });
    expect(await run(['dev', '--etcd-endpoints', 'http://127.0.0.1:1'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('leave out --etcd-endpoints'),
    });
  });
});

describe('bin/concord.js and npm run concord', { timeout: TIMEOUT_MS }, () => {
  it('pass arguments, input, output and exit codes on', async () => {
    const bin = { program: [PINNED_NODE, `${REPOSITORY}/bin/concord.js`] };
    await run(['put', 's/bin', '-'], { ...bin, input: 'by bin' });
    expect(await run(['get', 's/bin'], bin)).toMatchObject({ code: 0, stdout: 'by bin\n' });
    expect(await run(['get', 's/none'], bin)).toMatchObject({ code: 3, stdout: '' });
    expect(await run(['lock', 's/bin', '--', 'sh', '-c', 'exit 9'], bin)).toMatchObject({ code: 9 });
    expect(
      await run(['get', 's/bin'], { program: ['npm', 'run', '--silent', 'concord', '--'] }),
    ).toMatchObject({ code: 0, stdout: 'by bin\n' });
  });

  it('pass signals on', async () => {
    await using watch = startCli(['watch', 's/bin', '--snapshot'], {
      server: concord.url,
      program: [PINNED_NODE, `${REPOSITORY}/bin/concord.js`],
    });
    await eventually(() => expect(watch.stdout).not.toBe(''), WAIT_MS);
    watch.signal('SIGINT');
    expect(await watch.exited).toEqual({ code: 0, signal: null });
  });
});

describe('bin/concord.js on an older Node.js', { timeout: TIMEOUT_MS }, () => {
  if (olderNode === undefined) {
    it('is not run: there is none on this machine', () => {});
    return;
  }
  const bin = { program: [olderNode, `${REPOSITORY}/bin/concord.js`] };

  it('runs the pinned one, and passes everything on', async () => {
    await run(['put', 's/older', '-'], { ...bin, input: 'by bin' });
    expect(await run(['get', 's/older'], bin)).toMatchObject({ code: 0, stdout: 'by bin\n' });
    expect(await run(['get', 's/none'], bin)).toMatchObject({ code: 3 });
    await using watch = startCli(['watch', 's/older', '--snapshot'], { server: concord.url, ...bin });
    await eventually(() => expect(watch.stdout).not.toBe(''), WAIT_MS);
    watch.signal('SIGINT');
    expect(await watch.exited).toEqual({ code: 0, signal: null });
  });
});

describe('completion', { timeout: TIMEOUT_MS }, () => {
  it('offers commands, flags, words, and the names that the gateway has', async () => {
    expect(await offered(['di'])).toEqual(['discover']);
    expect(await offered(['config', 'pu'])).toEqual(['publish']);
    expect(await offered(['put', 'a', '--tt'])).toEqual(['--ttl']);
    expect(await offered(['get', '--ser'])).toEqual(['--server']);
    expect(await offered(['serve', '--etcd-e'])).toEqual(['--etcd-endpoints']);
    expect(await offered(['lock', 'x', '--mode', ''])).toEqual(['mutex', 'read', 'write', 'semaphore']);
    expect(await offered(['completion', 'z'])).toEqual(['zsh']);
    expect(await offered(['get', 's/'])).toEqual(expect.arrayContaining(['s/app/', 's/b']));
    expect(await offered(['get', 's/app/c'])).toEqual(['s/app/color']);
    expect(await offered(['config', 'get', 'sh'])).toEqual(['shop']);
    expect(await offered(['config', 'get', 'shop', ''])).toEqual(['color']);
    expect(await offered(['lock', 'x', '--', 'c'])).toEqual([]);
  });

  it('offers nothing, and says nothing, where no gateway answers', async () => {
    expect(await run(['__complete', '--', 'get', 's/'], { server: 'http://127.0.0.1:1' })).toMatchObject({
      code: 0,
      stdout: '',
      stderr: '',
    });
  });

  for (const [name, drive] of [
    [
      'bash',
      (file: string) =>
        `source "${file}"; COMP_LINE="concord get s/app/c" COMP_POINT=19 COMP_TYPE=9; COMP_WORDS=(concord get s/app/c); COMP_CWORD=2; _concord 2>/dev/null; printf '%s\\n' "\${COMPREPLY[@]}"`,
    ],
    [
      'zsh',
      (file: string) =>
        `autoload -U compinit && compinit -D; source "${file}"; words=(concord get s/app/c); CURRENT=3; compadd() { shift; print -l -- "$@" }; _concord`,
    ],
    ['fish', (file: string) => `source "${file}"; complete -C 'concord get s/app/c'`],
  ] as const) {
    const shell = shells[name];
    if (shell.kind === 'missing') {
      it(`is not run in ${name}: ${shell.why}`, async () => {
        expect((await run(['completion', name])).stdout).toContain('concord __complete');
      });
      continue;
    }
    it(`works in a real ${name}`, async () => {
      await using folder = await openTempDir();
      const file = `${folder.path}/completion`;
      await writeFile(file, (await run(['completion', name])).stdout);
      await writeFile(`${folder.path}/concord`, `#!/bin/sh\nexec ${CONCORD} "$@"\n`, { mode: 0o755 });
      const env = { PATH: `${folder.path}:${process.env['PATH']}` };
      const { stdout } = await run(['-c', drive(file)], { program: [name], env });
      expect(stdout.split('\n')[0]).toMatch(/^s\/app\/color/);
    });
  }

  it('has no script for another shell: 2', async () => {
    expect(await run(['completion', 'tcsh'])).toMatchObject({ code: 2 });
  });
});

/** A Node.js of this machine that cannot run the sources. */
async function findOlderNode(): Promise<string | undefined> {
  const folders = (process.env['PATH'] ?? '').split(':').filter((folder) => !folder.includes('node_modules'));
  for (const folder of folders) {
    const path = `${folder}/node`;
    if (!existsSync(path)) continue;
    const { stdout } = await runCli(['--version'], { program: [path] });
    if (/^v(1\d|2[0-3])\./.test(stdout)) return path;
  }
  return undefined;
}

async function offered(words: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await run(['__complete', '--', ...words]);
  return stdout.split('\n').filter((line) => line !== '');
}

function run(args: readonly string[], options: CliOptions = {}) {
  return runCli(args, { server: concord.url, ...options });
}
