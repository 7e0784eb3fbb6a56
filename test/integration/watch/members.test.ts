import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Etcd, openEtcd } from '../../../src/etcd/open-etcd.ts';
import { etcdWatchMetrics } from '../../support/etcd-watch-metrics.ts';
import { eventually } from '../../support/eventually.ts';
import { openKvClient } from '../../support/kv-client.ts';
import { startEtcdCluster, type TestEtcdCluster } from '../../support/start-etcd-cluster.ts';
import { startGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { type SequenceWriter, startSequenceWriter } from './sequence-writer.ts';
import { startRecording, stateAt, type WatchRecorder } from './watch-recorder.ts';

/** How soon events come again while one of three members is gone: the time of an election, and of finding out. */
const FAILOVER_MS = 40_000;

describe('a watch of a cluster of three members', { timeout: 180_000 }, () => {
  let cluster: TestEtcdCluster;

  beforeAll(async () => {
    cluster = await startEtcdCluster(3);
  });

  afterAll(async () => {
    await cluster?.stop();
  });

  /** The members that the gateway's watch is on. */
  async function serving(): Promise<readonly TestEtcd[]> {
    const running = cluster.members.filter(({ isRunning }) => isRunning);
    const metrics = await Promise.all(running.map(({ endpoint }) => etcdWatchMetrics(endpoint)));
    return running.filter((_, i) => (metrics[i]?.watchers ?? 0) > 0);
  }

  async function streamsOf(members: readonly TestEtcd[]): Promise<number> {
    const metrics = await Promise.all(members.map(({ endpoint }) => etcdWatchMetrics(endpoint)));
    return metrics.reduce((sum, { streams }) => sum + streams, 0);
  }

  /** Has a subscriber listen to a writer, and runs `harm` while both are at work. */
  async function watchThrough(harm: (run: Run) => Promise<void>): Promise<void> {
    await using direct = openEtcd({ endpoints: cluster.endpoints });
    await using gateway = await startGateway(cluster.endpoints);
    const prefix = `test/${randomUUID()}/`;
    await using recording = await startRecording(openKvClient(gateway.url), { prefix });
    const { recorder } = recording;
    await using writer = startSequenceWriter(direct.store, { prefix, pauseMs: 2 });
    await eventually(() => expect(recorder.eventCount).toBeGreaterThan(50));
    await harm({ recorder, writer, direct });
    const { eventCount } = recorder;
    await eventually(() => expect(recorder.eventCount).toBeGreaterThan(eventCount + 50));
    await recorder.reaches(await writer.finish());
    expect(recorder.faults).toEqual([]);
    expect(recorder.resyncs).toEqual([]);
    expect(recorder.state).toEqual(await stateAt(direct.store, prefix));
  }

  it.each([
    ['killed', 'kill', 'restart'],
    ['paused with its connections open', 'pause', 'resume'],
  ] as const)('moves on within seconds when the member that serves it is %s', async (_, harm, heal) => {
    await watchThrough(async ({ recorder, writer }) => {
      const [victim] = await serving();
      if (victim === undefined) throw new Error('no member serves the watch');
      const others = cluster.members.filter((member) => member !== victim);
      const before = await streamsOf(others);
      await victim[harm]();
      try {
        const { writes } = writer;
        await eventually(() => expect(writer.writes).toBeGreaterThan(writes + 5), FAILOVER_MS);
        await recorder.reaches(writer.revision, FAILOVER_MS);
        expect((await streamsOf(others)) - before).toBeLessThan(6);
      } finally {
        await victim[heal]();
      }
    });
  });

  it('goes on when the leader is killed', async () => {
    await watchThrough(async ({ recorder, writer }) => {
      const leader = await cluster.leader();
      await leader.kill();
      try {
        const { writes } = writer;
        await eventually(() => expect(writer.writes).toBeGreaterThan(writes + 5), FAILOVER_MS);
        await recorder.reaches(writer.revision, FAILOVER_MS);
      } finally {
        await leader.restart();
      }
    });
  });

  it('goes on when two of the members are killed, and started again', async () => {
    await watchThrough(async ({ recorder }) => {
      const [survivor, ...victims] = cluster.members;
      if (survivor === undefined) throw new Error('there is no member');
      const before = await streamsOf([survivor]);
      await Promise.all(victims.map((victim) => victim.kill()));
      const { messageCount } = recorder;
      await delay(2_000);
      await eventually(() => expect(recorder.messageCount - messageCount).toBeGreaterThan(5));
      expect((await streamsOf([survivor])) - before).toBeLessThan(12);
      await Promise.all(victims.map((victim) => victim.restart()));
    });
  });
});

/** A subscriber and a writer at work. */
interface Run {
  readonly recorder: WatchRecorder;
  readonly writer: SequenceWriter;
  readonly direct: Etcd;
}
