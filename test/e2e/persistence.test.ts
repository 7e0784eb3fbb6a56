import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { findEtcdProcesses, findProcesses } from '../support/find-processes.ts';
import { openKvClient } from '../support/kv-client.ts';
import { openTempDir } from '../support/open-temp-dir.ts';
import { runConcord, spawnConcord } from '../support/run-concord.ts';

// Each waits for elections most of the time.
describe.concurrent('a gateway with an etcd of its own', { timeout: 180_000 }, () => {
  it.each(['SIGTERM', 'SIGINT'] as const)(
    'ends with code 0 on %s, and keeps what was written',
    async (signal) => {
      await using data = await openTempDir();
      {
        await using concord = await runConcord({ dataDir: data.path });
        await openKvClient(concord.url).put({ key: 'greeting', value: 'hello' });
        expect(await findEtcdProcesses(data.path)).toHaveLength(1);
        concord.signal(signal);
        expect(await concord.exited).toEqual({ code: 0, signal: null });
        expect(await findEtcdProcesses(data.path)).toEqual([]);
      }
      await using again = await runConcord({ dataDir: data.path });
      const { kv } = await openKvClient(again.url).get({ key: 'greeting' });
      expect(kv).toMatchObject({ value: 'hello', version: 1n });
    },
  );

  it('ends with code 0 on a signal during its start, and leaves no etcd', async () => {
    await using data = await openTempDir();
    await using concord = await spawnConcord({ dataDir: data.path });
    await eventually(async () => expect(await findEtcdProcesses(data.path)).toHaveLength(1));
    concord.signal('SIGTERM');
    expect(await concord.exited).toEqual({ code: 0, signal: null });
    expect(await findEtcdProcesses(data.path)).toEqual([]);
  });

  it('refuses a data directory that another one uses, which goes on', async () => {
    await using first = await runConcord();
    await using second = await spawnConcord({ dataDir: first.dataDir });
    expect(await second.exited).toEqual({ code: 1, signal: null });
    expect(second.stderr.trimEnd().split('\n').at(-1)).toBe(
      `concord: data directory ${first.dataDir} is in use by process ${first.pid}; stop that process, or choose another directory`,
    );
    await openKvClient(first.url).put({ key: 'greeting', value: 'hello' });
  });

  it('takes its etcd along when it is killed', async () => {
    await using data = await openTempDir();
    await using concord = await runConcord({ dataDir: data.path });
    await openKvClient(concord.url).put({ key: 'greeting', value: 'hello' });
    concord.signal('SIGKILL');
    expect(await concord.exited).toEqual({ code: null, signal: 'SIGKILL' });
    await eventually(async () => expect(await findProcesses(data.path)).toEqual([]));
  });

  it('starts at once on the data of one that was killed, and then there is one etcd', async () => {
    await using data = await openTempDir();
    await using concord = await runConcord({ dataDir: data.path });
    await openKvClient(concord.url).put({ key: 'greeting', value: 'hello' });
    const [orphan] = await findEtcdProcesses(data.path);
    concord.signal('SIGKILL');
    await concord.exited;

    await using again = await runConcord({ dataDir: data.path });
    const { kv } = await openKvClient(again.url).get({ key: 'greeting' });
    expect(kv).toMatchObject({ value: 'hello' });
    const running = await findEtcdProcesses(data.path);
    expect(running).toHaveLength(1);
    expect(running[0]?.pid).not.toBe(orphan?.pid);
    again.signal('SIGTERM');
    expect(await again.exited).toEqual({ code: 0, signal: null });
    await eventually(async () => expect(await findProcesses(data.path)).toEqual([]));
  });
});
