import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { type KvClient, openKvClient } from '../../support/kv-client.ts';
import { type RestartableConcord, runRestartableConcord } from '../../support/restartable-concord.ts';
import { type CliProcess, runCli, startCli } from '../../support/run-cli.ts';
import { PINNED_NODE, REPOSITORY } from '../../support/run-concord.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';

const TIMEOUT_MS = 120_000;
const WAIT_MS = 60_000;

let etcd: TestEtcd;
let concord: RestartableConcord;
let kv: KvClient;

beforeAll(async () => {
  etcd = await startEtcd();
  concord = await runRestartableConcord(etcd.endpoint);
  kv = openKvClient(concord.url);
}, TIMEOUT_MS);

afterAll(async () => {
  await concord?.[Symbol.asyncDispose]();
  await etcd?.stop();
});

describe('concord watch', { timeout: TIMEOUT_MS }, () => {
  it('prints one event a line, what is there first with --snapshot, and ends with 0 after SIGINT', async () => {
    await kv.put({ key: 'w/text/a', value: '1' });
    await using watch = startWatch(['w/text/', '--prefix', '--snapshot']);
    await printed(watch, 'PRESENT  w/text/a  1\n');
    await kv.put({ key: 'w/text/b', value: 'two\nlines' });
    await kv.put({ key: 'w/text/b', valueBytes: new Uint8Array([0, 255]) });
    await kv.delete({ key: 'w/text/b' });
    await printed(
      watch,
      'PRESENT  w/text/a  1\nCREATED  w/text/b  two\\nlines\nUPDATED  w/text/b  base64:AP8=\nDELETED  w/text/b\n',
    );
    watch.signal('SIGINT');
    expect(await watch.exited).toEqual({ code: 0, signal: null });
    expect(watch.stderr).toBe('');
  });

  it('prints one event a line as JSON', async () => {
    await kv.put({ key: 'w/json', value: '1' });
    await using watch = startWatch(['w/json', '--snapshot', '--json']);
    await eventually(() => expect(watch.stdout).toContain('\n'), WAIT_MS);
    await kv.put({ key: 'w/json', value: '2' });
    await eventually(() => expect(watch.stdout.split('\n')).toHaveLength(3), WAIT_MS);
    const [present, updated] = watch.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(present).toEqual({ kv: expect.objectContaining({ key: 'w/json', value: '1' }) });
    expect(updated).toMatchObject({ type: 'TYPE_UPDATED', kv: { value: '2' } });
  });

  it('loses nothing and says nothing twice when the gateway is killed and comes back', async () => {
    await using watch = startWatch(['w/again/', '--prefix', '--snapshot']);
    await kv.put({ key: 'w/again/0', value: '0' });
    await eventually(() => expect(watch.stdout).toContain('w/again/0'), WAIT_MS);
    await concord.kill();
    await eventually(() => expect(watch.stderr).toContain('connecting again'), WAIT_MS);
    await concord.start();
    for (const value of ['1', '2', '3']) await kv.put({ key: `w/again/${value}`, value });
    await eventually(() => expect(watch.stdout).toContain('w/again/3'), WAIT_MS);
    const keys = watch.stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ +/)[1]);
    expect(keys).toEqual(['w/again/0', 'w/again/1', 'w/again/2', 'w/again/3']);
    expect(watch.stderr).toContain('concord: connected again\n');
  });

  it('ends in silence when its reader goes away', async () => {
    const shell = `"$0" "$1" watch w/pipe --snapshot | head -n 1; echo "status \${PIPESTATUS[0]}"`;
    await using pipe = startCli([], {
      server: concord.url,
      program: ['bash', '-c', shell, PINNED_NODE, `${REPOSITORY}/src/cli/main.ts`],
    });
    // Each write is an event; the one after the first finds nobody.
    const writing = (async () => {
      for (let at = 0; !pipe.stdout.includes('status'); at += 1) {
        await kv.put({ key: 'w/pipe', value: String(at) });
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    })();
    expect(await pipe.exited).toEqual({ code: 0, signal: null });
    await writing;
    expect(pipe.stdout).toMatch(/^(CREATED|UPDATED|PRESENT) +w\/pipe {2}\d+\nstatus 0\n$/);
    expect(pipe.stderr).toBe('');
  });

  it('ends with 5 where no gateway answers at first, and with 2 without a key', async () => {
    expect(await runCli(['watch', 'x'], { server: 'http://127.0.0.1:1' })).toMatchObject({
      code: 5,
      stdout: '',
      stderr: expect.stringMatching(
        /^concord: no gateway answers at http:\/\/127\.0\.0\.1:1: .*\(UNAVAILABLE\)\n$/,
      ),
    });
    expect(await runCli(['watch'], { server: concord.url })).toMatchObject({ code: 2 });
  });
});

function startWatch(args: readonly string[]): CliProcess {
  return startCli(['watch', ...args], { server: concord.url });
}

function printed(watch: CliProcess, text: string): Promise<void> {
  return eventually(() => expect(watch.stdout).toBe(text), WAIT_MS);
}
