import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  WatchResponse_Kind as Kind,
  type WatchResponse,
} from '../../../gen/concord/config/v1/config_service_pb.ts';
import { eventually } from '../../support/eventually.ts';
import { startFaultProxy } from '../../support/fault-proxy.ts';
import { openClients } from '../../support/open-clients.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { type ConfigClient, kindName, openConfigWatch } from './config-watch.ts';
import { ConfigWatchRecorder } from './config-watch-recorder.ts';

const ITEMS = 3_000;
const ITEMS_AT_ONCE = 1_000;
const HISTORY_BYTES = 8 * 1024 * 1024;
/** Some 25 MB, and as much again of what the items held before: more than sockets, a server and the history hold together. */
const PUBLISHES = 50;
const LARGE = { items: 8, bytes: 60_000 };

describe('a watch of much', () => {
  let etcd: TestEtcd;
  let gateway: TestGateway;
  let config: ConfigClient;

  beforeAll(async () => {
    etcd = await startEtcd();
    gateway = await startGateway([etcd.endpoint], {
      CONCORD_WATCH_HISTORY_BYTES: String(HISTORY_BYTES),
      // A connection that does not read for long is not dropped here.
      CONCORD_PING_INTERVAL: '10m',
    });
    config = openClients(gateway.url).config;
  });

  afterAll(async () => {
    await gateway?.[Symbol.asyncDispose]();
    await etcd?.stop();
  });

  it(`begins with ${ITEMS} items in several messages, and anew where one of them was the last`, async () => {
    const application = randomUUID();
    const keys = Array.from({ length: ITEMS }, (_, i) => `key/${String(i).padStart(5, '0')}`);
    for (let i = 0; i < ITEMS; i += ITEMS_AT_ONCE) {
      const puts = keys.slice(i, i + ITEMS_AT_ONCE).map((key) => ({ key, value: key }));
      await config.publish({ application, puts });
    }
    const watch = openConfigWatch(config, { application });
    await watch.opened;
    await watch[Symbol.asyncDispose]();
    const snapshots = watch.messages.filter(({ kind }) => kind === Kind.SNAPSHOT);
    expect(snapshots.length).toBeGreaterThan(2);
    expect(watch.messages.slice(snapshots.length, snapshots.length + 2).map(kindName)).toEqual([
      'SYNCED',
      'CHECKPOINT',
    ]);
    expect(new Set(watch.messages.slice(0, snapshots.length + 2).map(({ revision }) => revision)).size).toBe(
      1,
    );
    expect(watch.items()).toEqual(keys.map((key) => `default/${key}@1=${key}`));

    await config.put({ application, key: keys[0] ?? '', value: 'later' });
    const resumeToken = snapshots[1]?.resumeToken ?? '';
    await using resumed = openConfigWatch(config, { application, resumeToken });
    await resumed.opened;
    expect(kindName(resumed.messages[0] ?? expect.fail())).toBe('SNAPSHOT');
    expect(resumed.items()).toHaveLength(ITEMS);
    expect(resumed.items()[0]).toBe(`default/${keys[0]}@2=later`);
  }, 60_000);

  it('holds up neither others nor the gateway where its subscriber does not read, who misses nothing', async () => {
    const application = randomUUID();
    await using proxy = await startFaultProxy(gateway.port);
    const slow = new ConfigWatchRecorder();
    let last: bigint | undefined;
    const stream = openClients(proxy.endpoint).config.watch({ application });
    const following = slow.follow(untilRevision(stream, () => last));
    await eventually(() => expect(slow.revision).toBeGreaterThan(0n));
    await using fast = openConfigWatch(config, { application });
    await fast.opened;

    proxy.stall(['toClient']);
    let published = 0n;
    for (let i = 0; i < PUBLISHES; i++) {
      const value = String(i).padEnd(LARGE.bytes, '.');
      const puts = Array.from({ length: LARGE.items }, (_, key) => ({ key: `k${key}`, value }));
      published = (await config.publish({ application, puts })).revision;
      expect(gateway.app.stats().watch.historyBytes).toBeLessThan(2 * HISTORY_BYTES);
    }
    last = published;
    await fast.find(({ revision }) => revision >= published);
    expect(fast.changes()).toHaveLength(PUBLISHES * LARGE.items);
    expect(slow.told).toEqual([]);

    proxy.unstall();
    await following;
    // It is ended where it is too slow, and goes on: with each attempt it comes further.
    while (slow.revision < published) {
      const { revision, resumeToken } = slow;
      await slow.follow(untilRevision(config.watch({ application, resumeToken }), () => last));
      expect(slow.revision).toBeGreaterThan(revision);
    }
    expect(slow.faults).toEqual([]);
    expect(slow.told).toHaveLength(PUBLISHES * LARGE.items);
  }, 90_000);
});

/** Reads a stream up to a revision, as soon as that is known. */
async function* untilRevision(stream: AsyncIterable<WatchResponse>, revision: () => bigint | undefined) {
  for await (const message of stream) {
    yield message;
    const last = revision();
    if (last !== undefined && message.revision >= last) return;
  }
}
