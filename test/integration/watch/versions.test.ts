import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type BuiltEtcd,
  buildNewestEtcd,
  LATEST_3_5,
  LATEST_3_6,
  NEWEST_VERSION,
} from '../../support/build-newest-etcd.ts';
import { compact } from '../../support/etcd-watch-metrics.ts';
import { eventually } from '../../support/eventually.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { startSequenceWriter, writeHistory } from './sequence-writer.ts';
import { startFaultyGateway } from './start-faulty-gateway.ts';
import { startRecording, stateAt } from './watch-recorder.ts';

const HISTORY = 2_000;
const versions = new Map<string, BuiltEtcd>();
// One after another: each build takes all the processors there are.
for (const version of [NEWEST_VERSION, LATEST_3_6, LATEST_3_5]) {
  versions.set(version, await buildNewestEtcd(version));
}

describe.concurrent.each([...versions])('a watch of etcd %s', { timeout: 240_000 }, (_, built) => {
  if (built.kind === 'missing') {
    it(`is not tested here: ${built.reason}`, () => expect(built.reason).not.toBe(''));
    return;
  }

  let etcd: TestEtcd;
  const prefixOf = () => `test/${randomUUID()}/`;

  beforeAll(async () => {
    etcd = await startEtcd({ binary: built.binary });
  });

  afterAll(async () => {
    await etcd?.stop();
  });

  it('gets a history whole that is cut twice, what is written meanwhile, and what compaction took', async () => {
    await using faulty = await startFaultyGateway(etcd);
    const { kv, proxy, direct } = faulty;
    const prefix = prefixOf();
    const before = await writeHistory(direct.store, { prefix: prefixOf() }, 1);
    await writeHistory(direct.store, { prefix }, HISTORY);
    await using recording = await startRecording(kv, { prefix, startRevision: before + 1n });
    const { recorder } = recording;
    await using writer = startSequenceWriter(direct.store, { prefix, pauseMs: 1 });
    for (let i = 0; i < 2; i++) await proxy.cutAfter('toClient', 30_000);
    await recorder.reaches(writer.revision);
    expect(recorder.resyncs).toEqual([]);

    proxy.refuse();
    proxy.cut();
    const { writes } = writer;
    await eventually(() => expect(writer.writes).toBeGreaterThan(writes + 100));
    await compact(etcd.endpoint, writer.revision);
    proxy.accept();
    await eventually(() => expect(recorder.resyncs).toHaveLength(1));
    const [resync] = recorder.resyncs;
    expect(resync?.state).toEqual(await stateAt(direct.store, prefix, resync?.revision));
    await recorder.reaches(await writer.finish());
    expect(recorder.faults).toEqual([]);
    expect(recorder.state).toEqual(await stateAt(direct.store, prefix));
  });

  it('moves on within seconds where nobody writes what it watches', async () => {
    await using faulty = await startFaultyGateway(etcd);
    await using recording = await startRecording(faulty.kv, { prefix: prefixOf() });
    const { recorder } = recording;
    for (let i = 0; i < 2; i++) {
      await recorder.reaches(await writeHistory(faulty.direct.store, { prefix: prefixOf() }, 5), 20_000);
    }
    expect(recorder.faults).toEqual([]);
  });
});
