import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openEtcd } from '../../../src/etcd/open-etcd.ts';
import { eventually } from '../../support/eventually.ts';
import { openKvClient } from '../../support/kv-client.ts';
import { runConcord } from '../../support/run-concord.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { startSequenceWriter } from './sequence-writer.ts';
import { startRecording, stateAt, WatchRecorder } from './watch-recorder.ts';

/** A gateway that a test ends. */
interface Replica {
  readonly url: string;
  end(): Promise<unknown>;
}

const prefixOf = () => `test/${randomUUID()}/`;

describe('a watch whose gateway goes away', { timeout: 240_000 }, () => {
  let etcd: TestEtcd;

  beforeAll(async () => {
    etcd = await startEtcd();
  });

  afterAll(async () => {
    await etcd?.stop();
  });

  async function startDrained(): Promise<Replica> {
    const gateway = await startGateway([etcd.endpoint]);
    return { url: gateway.url, end: () => gateway.app.drain() };
  }

  async function startKilled(): Promise<Replica> {
    const gateway = await runConcord({ env: { ETCD_ENDPOINTS: etcd.endpoint } });
    return {
      url: gateway.url,
      async end() {
        gateway.signal('SIGKILL');
        await gateway[Symbol.asyncDispose]();
      },
    };
  }

  it.concurrent.each([
    ['drained', startDrained],
    ['killed', startKilled],
  ])(
    'goes on at another one that its token is taken to, and misses nothing, when it is %s',
    async (_, start) => {
      await using direct = openEtcd({ endpoints: [etcd.endpoint] });
      const prefix = prefixOf();
      const recorder = new WatchRecorder();
      await using writer = startSequenceWriter(direct.store, { prefix, pauseMs: 1 });
      for (let round = 0; round < 3; round++) {
        const replica = await start();
        try {
          const { resumeToken, eventCount } = recorder;
          const request = round === 0 ? { prefix, includeSnapshot: true } : { prefix, resumeToken };
          await using _recording = await startRecording(openKvClient(replica.url), request, recorder);
          await eventually(() => expect(recorder.eventCount).toBeGreaterThan(eventCount + 100));
          await replica.end();
          await eventually(() => expect(recorder.end?.error).toBeInstanceOf(Error));
        } finally {
          await replica.end();
        }
      }
      await using last = await startGateway([etcd.endpoint]);
      const { resumeToken } = recorder;
      await using _recording = await startRecording(
        openKvClient(last.url),
        { prefix, resumeToken },
        recorder,
      );
      await recorder.reaches(await writer.finish());
      expect(recorder.faults).toEqual([]);
      expect(recorder.resyncs).toEqual([]);
      expect(recorder.state).toEqual(await stateAt(direct.store, prefix));
    },
  );
});
