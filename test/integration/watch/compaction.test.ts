import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Event, Event_TypeSchema } from '../../../gen/concord/kv/v1/event_pb.ts';
import { openEtcd } from '../../../src/etcd/open-etcd.ts';
import { compact, etcdWatchMetrics } from '../../support/etcd-watch-metrics.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { openKvClient } from '../../support/kv-client.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { startSequenceWriter, writeHistory } from './sequence-writer.ts';
import { startFaultyGateway } from './start-faulty-gateway.ts';
import { startRecording, stateAt } from './watch-recorder.ts';

const prefixOf = () => `test/${randomUUID()}/`;

function describeEvent({ type, kv, previous }: Event, prefix: string): string {
  const name = Event_TypeSchema.value[type]?.localName;
  return [name, kv?.key.slice(prefix.length), kv?.value, previous?.value].join(' ').trimEnd();
}

describe('a watch whose changes were compacted away while it was cut off', { timeout: 240_000 }, () => {
  let etcd: TestEtcd;

  beforeAll(async () => {
    etcd = await startEtcd();
  });

  afterAll(async () => {
    await etcd?.stop();
  });

  it('tells each subscriber exactly what is different, and goes on', async () => {
    await using faulty = await startFaultyGateway(etcd);
    await using writing = await startGateway([etcd.endpoint]);
    const writer = openKvClient(writing.url);
    const { kv, proxy, direct } = faulty;
    const prefix = prefixOf();
    for (const name of ['same', 'changed', 'deleted', 'replaced', 'there-and-back']) {
      await writer.put({ key: prefix + name, value: '1' });
    }
    const request = { prefix, includeSnapshot: true };
    await using all = await startRecording(kv, request);
    await using keys = await startRecording(kv, { ...request, keysOnly: true });
    await using one = await startRecording(kv, { key: `${prefix}changed`, includeSnapshot: true });
    await using untouched = await startRecording(kv, { key: `${prefix}same`, includeSnapshot: true });
    const recorders = [all, keys, one, untouched].map(({ recorder }) => recorder);
    const { revision: before } = await writer.put({ key: `${prefix}seen`, value: '1' });
    for (const recorder of recorders.slice(0, 2)) await recorder.reaches(before);

    proxy.refuse();
    proxy.cut();
    await writer.put({ key: `${prefix}changed`, value: '2' });
    await writer.put({ key: `${prefix}changed`, value: '3' });
    await writer.delete({ key: `${prefix}deleted` });
    await writer.delete({ key: `${prefix}replaced` });
    await writer.put({ key: `${prefix}replaced`, value: '2' });
    await writer.put({ key: `${prefix}created`, value: '2' });
    await writer.put({ key: `${prefix}not-seen`, value: '2' });
    const { revision } = await writer.delete({ key: `${prefix}not-seen` });
    await compact(etcd.endpoint, revision);
    proxy.accept();

    const difference = ['CREATED created 2', 'DELETED deleted', 'UPDATED changed 3', 'UPDATED replaced 2'];
    const withoutValues = difference.map((line) => line.replace(/ \d$/, ''));
    for (const [recorder, expected] of [
      [recorders[0], difference],
      [recorders[1], withoutValues],
      [recorders[2], ['UPDATED changed 3']],
    ] as const) {
      if (recorder === undefined) continue;
      await eventually(() => expect(recorder.resyncs).toHaveLength(1));
      const [resync] = recorder.resyncs;
      expect(resync?.events.map((event) => describeEvent(event, prefix)).sort()).toEqual(expected);
      expect(resync?.revision).toBeGreaterThanOrEqual(revision);
    }
    await using changes = startSequenceWriter(direct.store, { prefix });
    await eventually(() => expect(changes.writes).toBeGreaterThan(50));
    const last = await changes.finish();
    for (const recorder of recorders.slice(0, 2)) {
      await recorder.reaches(last);
      expect(recorder.state).toEqual(await stateAt(direct.store, prefix));
    }
    for (const recorder of recorders) expect(recorder.faults).toEqual([]);
    // One of each gateway: that under test, and the writer's.
    expect((await etcdWatchMetrics(etcd.endpoint)).openStreams).toBe(2);
  });

  it('has the state that is told be that of the store each time, while a writer goes on', async () => {
    await using faulty = await startFaultyGateway(etcd);
    const { kv, proxy, direct } = faulty;
    const prefix = prefixOf();
    await using recording = await startRecording(kv, { prefix });
    const { recorder } = recording;
    await using writer = startSequenceWriter(direct.store, { prefix, keys: 200, pauseMs: 1 });
    for (let i = 1; i <= 3; i++) {
      const { eventCount } = recorder;
      await eventually(() => expect(recorder.eventCount).toBeGreaterThan(eventCount + 100));
      proxy.refuse();
      proxy.cut();
      const { writes } = writer;
      await eventually(() => expect(writer.writes).toBeGreaterThan(writes + 100));
      await compact(etcd.endpoint, writer.revision);
      proxy.accept();
      await eventually(() => expect(recorder.resyncs).toHaveLength(i));
      const resync = recorder.resyncs[i - 1];
      expect(resync?.events.length).toBeGreaterThan(0);
      expect(resync?.state).toEqual(await stateAt(direct.store, prefix, resync?.revision));
    }
    await recorder.reaches(await writer.finish());
    expect(recorder.faults).toEqual([]);
    expect(recorder.state).toEqual(await stateAt(direct.store, prefix));
  });

  it('sends all there is to a subscriber that had not caught up, and goes on', async () => {
    await using faulty = await startFaultyGateway(etcd);
    const { kv, proxy, direct } = faulty;
    const prefix = prefixOf();
    await using live = await startRecording(kv, { prefix });
    const before = await writeHistory(direct.store, { prefix: prefixOf() }, 1);
    await writeHistory(direct.store, { prefix, keys: 500 }, 3_000);
    // Nothing of its history comes, while the other subscriber is live.
    proxy.limit(20_000);
    await using laggard = await startRecording(kv, { prefix, startRevision: before + 1n });
    await using adapter = openEtcd({ endpoints: [etcd.endpoint] });
    const revision = await writeHistory(adapter.store, { prefix, keys: 500 }, 100);
    proxy.cut();
    await compact(etcd.endpoint, revision);
    proxy.limit(Number.POSITIVE_INFINITY);
    await using writer = startSequenceWriter(direct.store, { prefix });
    await eventually(() => expect(writer.writes).toBeGreaterThan(50));
    const last = await writer.finish();
    for (const { recorder } of [live, laggard]) {
      await recorder.reaches(last);
      expect(recorder.faults).toEqual([]);
      expect(recorder.state).toEqual(await stateAt(direct.store, prefix));
    }
    expect(laggard.recorder.resyncs.length).toBeGreaterThan(0);
  });

  it('tells all that there is when another cluster has taken the place of its own', async () => {
    await using other = await startEtcd();
    await using adapter = openEtcd({ endpoints: [other.endpoint] });
    await using faulty = await startFaultyGateway(etcd);
    const { kv, proxy, direct } = faulty;
    const prefix = prefixOf();
    await using recording = await startRecording(kv, { prefix });
    const { recorder } = recording;
    await recorder.reaches(await writeHistory(direct.store, { prefix, keys: 30 }, 200));
    const { resumeToken: tokenOfBefore } = recorder;
    await writeHistory(adapter.store, { prefix }, 25);
    proxy.retarget(other.port);
    proxy.cut();
    await eventually(() => expect(recorder.resyncs).toHaveLength(1));
    await using writer = startSequenceWriter(adapter.store, { prefix });
    await eventually(() => expect(writer.writes).toBeGreaterThan(50));
    await recorder.reaches(await writer.finish());
    expect(recorder.faults).toEqual([]);
    expect(recorder.state).toEqual(await stateAt(adapter.store, prefix));
    await using fresh = await startRecording(kv, { prefix, includeSnapshot: true });
    await fresh.recorder.reaches(recorder.position);
    const refused = startRecording(kv, { prefix, resumeToken: tokenOfBefore });
    expect(await failureOf(refused)).toMatchObject({ reason: 'RESUME_TOKEN_INVALID' });
  });
});
