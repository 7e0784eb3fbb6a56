import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openEtcd } from '../../../src/etcd/open-etcd.ts';
import { etcdWatchMetrics, GATEWAY_WATCHES, HUB_WATCHES } from '../../support/etcd-watch-metrics.ts';
import { eventually } from '../../support/eventually.ts';
import { openKvClient } from '../../support/kv-client.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { writeHistory } from './sequence-writer.ts';
import { startRecording } from './watch-recorder.ts';

const SUBSCRIBERS = 2_000;
const CONNECTIONS = 20;
const EVENTS = 20;
const prefixOf = () => `test/${randomUUID()}/`;

describe('many watches of one gateway', { timeout: 240_000 }, () => {
  let etcd: TestEtcd;
  let gateway: TestGateway;

  beforeAll(async () => {
    etcd = await startEtcd();
    gateway = await startGateway([etcd.endpoint]);
  });

  afterAll(async () => {
    await gateway?.[Symbol.asyncDispose]();
    await etcd?.stop();
  });

  async function expectNothingLeft(): Promise<void> {
    await eventually(async () => {
      expect(gateway.app.stats()).toMatchObject({
        server: { streams: 0 },
        watch: { subscriptions: HUB_WATCHES, channels: HUB_WATCHES, historyBytes: 0 },
      });
      expect(await etcdWatchMetrics(etcd.endpoint)).toMatchObject({
        watchers: GATEWAY_WATCHES,
        openStreams: 1,
      });
    });
  }

  it(`are one at etcd for ${SUBSCRIBERS} subscribers of one prefix, and none when they have left`, async () => {
    await using direct = openEtcd({ endpoints: [etcd.endpoint] });
    const prefix = prefixOf();
    const clients = Array.from({ length: CONNECTIONS }, () => openKvClient(gateway.url));
    {
      await using started = new AsyncDisposableStack();
      const recorders = await Promise.all(
        Array.from({ length: SUBSCRIBERS }, async (_, i) => {
          const kv = clients[i % CONNECTIONS] ?? openKvClient(gateway.url);
          return started.use(await startRecording(kv, { prefix })).recorder;
        }),
      );
      const last = await writeHistory(direct.store, { prefix, keys: 5 }, EVENTS);
      for (const recorder of recorders) await recorder.reaches(last);
      expect(recorders.flatMap(({ faults }) => faults)).toEqual([]);
      expect(new Set(recorders.map(({ eventCount }) => eventCount))).toEqual(new Set([EVENTS]));
      expect(await etcdWatchMetrics(etcd.endpoint)).toMatchObject({
        watchers: 1 + GATEWAY_WATCHES,
        openStreams: 1,
      });
      expect(gateway.app.stats().watch).toMatchObject({
        subscriptions: SUBSCRIBERS + HUB_WATCHES,
        channels: 1 + HUB_WATCHES,
      });
    }
    await expectNothingLeft();
  });

  it('leave nothing behind when their clients hang up at once', async () => {
    const controller = new AbortController();
    const kv = openKvClient(gateway.url);
    const streams = Array.from({ length: 50 }, () => kv.watch({ prefix: prefixOf() }, controller));
    const iterators = streams.map((stream) => stream[Symbol.asyncIterator]());
    await Promise.all(iterators.map((iterator) => iterator.next()));
    await eventually(async () =>
      expect((await etcdWatchMetrics(etcd.endpoint)).watchers).toBe(50 + GATEWAY_WATCHES),
    );
    const ends = iterators.map((iterator) => iterator.next().catch(() => {}));
    controller.abort();
    await Promise.all(ends);
    await expectNothingLeft();
  });
});
