import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { etcdWatchMetrics } from '../../support/etcd-watch-metrics.ts';
import { eventually } from '../../support/eventually.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { startSequenceWriter, writeHistory, writeLarge } from './sequence-writer.ts';
import { type FaultyGateway, startFaultyGateway } from './start-faulty-gateway.ts';
import { startRecording, stateAt, type WatchRecorder } from './watch-recorder.ts';

const HISTORY = 3_000;
const LARGE = { keys: 100, valueBytes: 15_000 };
const prefixOf = () => `test/${randomUUID()}/`;

describe.concurrent('a watch whose connection to etcd is cut', { timeout: 180_000 }, () => {
  let etcd: TestEtcd;

  beforeAll(async () => {
    etcd = await startEtcd();
  });

  afterAll(async () => {
    await etcd?.stop();
  });

  async function expectWhole(
    recorder: WatchRecorder,
    { direct }: FaultyGateway,
    prefix: string,
  ): Promise<void> {
    expect(recorder.faults).toEqual([]);
    expect(recorder.state).toEqual(await stateAt(direct.store, prefix));
    expect(recorder.resyncs).toEqual([]);
  }

  it.each([
    ['before the first event', 1],
    ['within the first events', 20_000],
    ['in the middle', 150_000],
  ])('gets a long history whole that is cut off %s, twice in a row', async (_, bytes) => {
    await using faulty = await startFaultyGateway(etcd);
    const { kv, proxy, direct } = faulty;
    const prefix = prefixOf();
    const before = await writeHistory(direct.store, { prefix: prefixOf() }, 1);
    const last = await writeHistory(direct.store, { prefix }, HISTORY);
    proxy.limit(2_000_000);
    await using recording = await startRecording(kv, { prefix, startRevision: before + 1n });
    const { recorder } = recording;
    for (let i = 0; i < 2; i++) await proxy.cutAfter('toClient', bytes);
    await recorder.reaches(last);
    expect(recorder.eventCount).toBe(HISTORY);
    await expectWhole(recorder, faulty, prefix);
  });

  it('loses nothing, and repeats nothing, when it is cut at any moment while much is written', async () => {
    await using faulty = await startFaultyGateway(etcd);
    const { kv, proxy, direct } = faulty;
    const prefix = prefixOf();
    await using one = await startRecording(kv, { prefix });
    await using other = await startRecording(kv, { prefix });
    await using writer = startSequenceWriter(direct.store, { prefix, pauseMs: 0 });
    for (let cuts = 0; cuts < 20 || writer.writes < 2_500; cuts++) {
      proxy.cut();
      await delay(Math.random() * 300);
    }
    const last = await writer.finish();
    for (const { recorder } of [one, other]) {
      await recorder.reaches(last);
      expect(recorder.eventCount).toBeGreaterThan(2_500);
      await expectWhole(recorder, faulty, prefix);
    }
  });

  it('gets the changes of a revision all at once, when it is cut between the parts that they come in', async () => {
    await using faulty = await startFaultyGateway(etcd);
    const { kv, proxy, direct } = faulty;
    const prefix = prefixOf();
    const before = await writeHistory(direct.store, { prefix: prefixOf() }, 1);
    let last = 0n;
    // With what the keys held before, a revision is more than etcd sends in one part (2 MiB).
    for (let i = 0; i < 6; i++) last = await writeLarge(direct.store, prefix, LARGE);
    await using recording = await startRecording(kv, { prefix, startRevision: before + 1n });
    const { recorder } = recording;
    for (const megabytes of [1, 3.5, 2, 5]) await proxy.cutAfter('toClient', megabytes * 1_000_000);
    await recorder.reaches(last);
    expect(recorder.eventCount).toBe(6 * LARGE.keys);
    expect(recorder.largestMessage).toBe(LARGE.keys);
    await expectWhole(recorder, faulty, prefix);
  });

  it('gets on with a history of large changes that no connection lives long enough to bring as a whole', async () => {
    await using faulty = await startFaultyGateway(etcd);
    const { kv, proxy, direct } = faulty;
    const prefix = prefixOf();
    const before = await writeHistory(direct.store, { prefix: prefixOf() }, 1);
    let last = 0n;
    for (let i = 0; i < 10; i++) last = await writeLarge(direct.store, prefix, LARGE);
    await using recording = await startRecording(kv, { prefix, startRevision: before + 1n });
    const { recorder } = recording;
    // Etcd answers with all ten revisions, some 30 MB, in parts.
    for (let i = 0; i < 6 && recorder.position < last; i++) {
      await Promise.race([proxy.cutAfter('toClient', 12_000_000), recorder.reaches(last)]);
    }
    await recorder.reaches(last, 0);
    await expectWhole(recorder, faulty, prefix);
  });

  it('asks for a connection now and then, not all the time, while none is to be had', async () => {
    await using faulty = await startFaultyGateway(etcd);
    const { kv, proxy, direct } = faulty;
    const prefix = prefixOf();
    await using recording = await startRecording(kv, { prefix });
    const { recorder } = recording;
    await using writer = startSequenceWriter(direct.store, { prefix, pauseMs: 10 });
    await eventually(() => expect(recorder.eventCount).toBeGreaterThan(10));
    const messages = recorder.messageCount;
    proxy.refuse();
    proxy.cut();
    await delay(4_000);
    // Without etcd it is still told, at its interval, that there is nothing to tell.
    const { refused } = proxy;
    expect(refused).toBeLessThan(40);
    await eventually(() => expect(recorder.messageCount - messages).toBeGreaterThan(10));
    await eventually(() => expect(proxy.refused).toBeGreaterThan(1));
    proxy.accept();
    await recorder.reaches(await writer.finish());
    await expectWhole(recorder, faulty, prefix);
  });

  it('backs off when each connection is cut as soon as the watch is created', async () => {
    await using etcd = await startEtcd();
    await using faulty = await startFaultyGateway(etcd);
    const { kv, proxy, direct } = faulty;
    const prefix = prefixOf();
    await using recording = await startRecording(kv, { prefix });
    const { recorder } = recording;
    const { streams } = await etcdWatchMetrics(etcd.endpoint);
    const startMs = performance.now();
    const passedMs = () => performance.now() - startMs;
    for (let seen = 0, opened = 0; passedMs() < 4_000 || opened <= 2; ) {
      const now = await etcdWatchMetrics(etcd.endpoint);
      if (now.streams > seen && now.watchers > 0) proxy.cut();
      seen = now.streams;
      opened = now.streams - streams;
      await delay(5);
    }
    const opened = (await etcdWatchMetrics(etcd.endpoint)).streams - streams;
    expect(opened).toBeLessThan((15 * passedMs()) / 4_000);
    await using writer = startSequenceWriter(direct.store, { prefix });
    await eventually(() => expect(writer.writes).toBeGreaterThan(50));
    await recorder.reaches(await writer.finish());
    await expectWhole(recorder, faulty, prefix);
  });
});
