import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prefixRange } from '../../../src/domain/key-range.ts';
import type { Upstream, WatchSink } from '../../../src/domain/store.ts';
import { openEtcd } from '../../../src/etcd/open-etcd.ts';
import { countAuthentications, enableAuth } from '../../support/etcd-auth.ts';
import { etcdWatchMetrics } from '../../support/etcd-watch-metrics.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { startFaultProxy } from '../../support/fault-proxy.ts';
import { openKvClient } from '../../support/kv-client.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { writeHistory } from './sequence-writer.ts';
import { startRecording } from './watch-recorder.ts';

const ROOT = { username: 'root', password: 'root-secret' };
const READER = { username: 'reader', password: 'reader-secret', prefix: 'allowed/' };
const TOKEN_TTL_S = 1;
/** Etcd looks for expired tokens every second, or later where it has much else to do. */
const EXPIRED_AFTER_MS = (TOKEN_TTL_S + 3) * 1_000;
const CHEAP_PASSWORDS = '--bcrypt-cost=4';

describe('a watch of an etcd with authentication', () => {
  let etcd: TestEtcd;

  beforeAll(async () => {
    etcd = await startEtcd({
      args: ['--auth-token=simple', `--auth-token-ttl=${TOKEN_TTL_S}`, CHEAP_PASSWORDS],
    });
    await enableAuth(etcd.endpoint, ROOT.password, [READER]);
  });

  afterAll(async () => {
    await etcd?.stop();
  });

  /** Writes a key that begins so, as another client. */
  async function write(prefix: string): Promise<bigint> {
    await using writer = openEtcd({ endpoints: [etcd.endpoint], user: ROOT });
    return await writeHistory(writer.store, { prefix }, 1);
  }

  it('goes on, with all others on its stream, when its token has expired and its connection is cut', async () => {
    await using proxy = await startFaultProxy(etcd.port);
    await using adapter = openEtcd({ endpoints: [proxy.endpoint], user: ROOT });
    const prefix = `allowed/${randomUUID()}/`;
    const from = await write(prefix);
    const revisions = [from];
    const prefixes = ['', '0', '1', '2', '3'].map((part) => prefix + part);
    const sinks = prefixes.map(createSink);
    const open = (i: number) =>
      adapter.watches.open(
        { range: rangeOf(prefixes[i] ?? ''), fromRevision: from },
        sinks[i] ?? createSink(),
      );
    using _ = closing([0, 1, 2, 3].map(open));
    await eventually(async () => expect((await etcdWatchMetrics(etcd.endpoint)).watchers).toBe(4));

    for (const harm of [() => proxy.cut(), () => void open(4)]) {
      await delay(EXPIRED_AFTER_MS);
      const before = await countAuthentications(etcd.endpoint);
      const { streams } = await etcdWatchMetrics(etcd.endpoint);
      harm();
      for (let i = 0; i < 4; i++) revisions.push(await write(`${prefix}${i}/`));
      await eventually(() => expect(sinks[0]?.revisions).toEqual(revisions));
      // One for the watches, and one for each write; the token of a write that takes its time may expire meanwhile.
      const authentications = (await countAuthentications(etcd.endpoint)) - before;
      expect(authentications).toBeGreaterThanOrEqual(5);
      expect(authentications).toBeLessThanOrEqual(10);
      expect((await etcdWatchMetrics(etcd.endpoint)).streams - streams).toBeLessThan(4);
    }
    await eventually(() => expect(sinks.map(({ revisions }) => revisions.length)).toEqual([9, 3, 2, 2, 2]));
    expect(sinks.flatMap(({ failures }) => failures)).toEqual([]);
  });

  it('ends alone when its range may not be read', async () => {
    await using adapter = openEtcd({ endpoints: [etcd.endpoint], user: READER });
    const prefix = `allowed/${randomUUID()}/`;
    const from = await write(prefix);
    const [one, denied, other] = [createSink(), createSink(), createSink()];
    using _ = closing([
      adapter.watches.open({ range: rangeOf(prefix), fromRevision: from }, one),
      adapter.watches.open({ range: rangeOf('secret/'), fromRevision: from }, denied),
      adapter.watches.open({ range: rangeOf('allowed/'), fromRevision: from }, other),
    ]);
    await eventually(() => expect(denied.failures).toEqual(['STORE_PERMISSION_DENIED']));
    const next = await write(prefix);
    for (const sink of [one, other]) {
      await eventually(() => expect(sink.revisions).toEqual([from, next]));
      expect(sink.failures).toEqual([]);
    }
  });

  it('tells its subscriber so when its range may not be read, and no other one', async () => {
    await using gateway = await startGateway([etcd.endpoint], {
      ETCD_USERNAME: READER.username,
      ETCD_PASSWORD: READER.password,
    });
    const kv = openKvClient(gateway.url);
    const prefix = `allowed/${randomUUID()}/`;
    await using recording = await startRecording(kv, { prefix });
    // The second may be read in part.
    for (const request of [{ prefix: 'secret/' }, { start: prefix, end: 'b' }]) {
      expect(await failureOf(lastOf(kv.watch(request)))).toMatchObject({
        code: 'PermissionDenied',
        reason: 'STORE_PERMISSION_DENIED',
      });
    }
    const { revision } = await kv.put({ key: `${prefix}k` });
    await recording.recorder.reaches(revision);
    expect(recording.recorder.faults).toEqual([]);
    expect(recording.recorder.end).toBeUndefined();
  });
});

function rangeOf(prefix: string) {
  return prefixRange(new TextEncoder().encode(prefix));
}

/** Takes what a watch is told: the revisions of events, and the reasons of failures. */
function createSink(): WatchSink & { readonly revisions: bigint[]; readonly failures: string[] } {
  const revisions: bigint[] = [];
  const failures: string[] = [];
  return {
    revisions,
    failures,
    events: (revision) => void revisions.push(revision),
    progress() {},
    compacted: () => void failures.push('compacted'),
    failed: ({ reason }) => void failures.push(reason),
  };
}

function closing(upstreams: readonly Upstream[]): Disposable {
  return {
    [Symbol.dispose]() {
      for (const upstream of upstreams) upstream.close();
    },
  };
}

async function lastOf<T>(stream: AsyncIterable<T>): Promise<T | undefined> {
  let last: T | undefined;
  for await (const message of stream) last = message;
  return last;
}
