import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { openEtcd } from '../../../src/etcd/open-etcd.ts';
import { etcdWatchMetrics } from '../../support/etcd-watch-metrics.ts';
import { eventually } from '../../support/eventually.ts';
import { openKvClient } from '../../support/kv-client.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway } from '../../support/start-gateway.ts';
import { startSequenceWriter } from './sequence-writer.ts';
import { startFaultyGateway } from './start-faulty-gateway.ts';
import { startRecording, stateAt } from './watch-recorder.ts';

const prefixOf = () => `test/${randomUUID()}/`;

describe.concurrent('a watch of one etcd that says nothing more', { timeout: 180_000 }, () => {
  it('goes on over a new connection when the old one is stalled', async () => {
    await using etcd = await startEtcd();
    await using faulty = await startFaultyGateway(etcd);
    const { kv, proxy, direct } = faulty;
    const prefix = prefixOf();
    await using recording = await startRecording(kv, { prefix });
    const { recorder } = recording;
    await using writer = startSequenceWriter(direct.store, { prefix, pauseMs: 5 });
    await eventually(() => expect(recorder.eventCount).toBeGreaterThan(50));
    const { connections } = proxy;
    const { streams } = await etcdWatchMetrics(etcd.endpoint);
    proxy.stall(['toClient'], 'open');
    const stalledAt = writer.revision;
    // The connection is given up after 15 s without an answer to its ping; the stream on it earlier.
    await recorder.reaches(stalledAt + 1n);
    await recorder.reaches(await writer.finish());
    expect(recorder.faults).toEqual([]);
    expect(recorder.resyncs).toEqual([]);
    expect(recorder.state).toEqual(await stateAt(direct.store, prefix));
    expect(proxy.connections - connections).toBeLessThan(4);
    expect((await etcdWatchMetrics(etcd.endpoint)).streams - streams).toBeLessThan(8);
  });

  it('goes on when the etcd was paused, and keeps its subscriber informed meanwhile', async () => {
    await using etcd = await startEtcd();
    await using direct = openEtcd({ endpoints: [etcd.endpoint] });
    await using gateway = await startGateway([etcd.endpoint]);
    const prefix = prefixOf();
    await using recording = await startRecording(openKvClient(gateway.url), { prefix });
    const { recorder } = recording;
    await using writer = startSequenceWriter(direct.store, { prefix, pauseMs: 5 });
    await eventually(() => expect(recorder.eventCount).toBeGreaterThan(50));
    const { streams } = await etcdWatchMetrics(etcd.endpoint);
    etcd.pause();
    const { messageCount } = recorder;
    try {
      await delay(7_000);
      await eventually(() => expect(recorder.messageCount - messageCount).toBeGreaterThan(15));
    } finally {
      etcd.resume();
    }
    await recorder.reaches(await writer.finish());
    expect(recorder.faults).toEqual([]);
    expect(recorder.resyncs).toEqual([]);
    expect(recorder.state).toEqual(await stateAt(direct.store, prefix));
    expect((await etcdWatchMetrics(etcd.endpoint)).streams - streams).toBeLessThan(5);
  });

  it('goes on when the etcd was killed and started again', async () => {
    await using etcd = await startEtcd();
    await using direct = openEtcd({ endpoints: [etcd.endpoint] });
    await using gateway = await startGateway([etcd.endpoint]);
    const prefix = prefixOf();
    await using recording = await startRecording(openKvClient(gateway.url), { prefix });
    const { recorder } = recording;
    await using writer = startSequenceWriter(direct.store, { prefix, pauseMs: 1 });
    for (let i = 0; i < 2; i++) {
      const { eventCount } = recorder;
      await eventually(() => expect(recorder.eventCount).toBeGreaterThan(eventCount + 50));
      await etcd.kill();
      await delay(300);
      await etcd.restart();
    }
    await recorder.reaches(await writer.finish());
    expect(writer.unconfirmed).toBeGreaterThan(0);
    expect(recorder.faults).toEqual([]);
    expect(recorder.resyncs).toEqual([]);
    expect(recorder.state).toEqual(await stateAt(direct.store, prefix));
  });
});
