import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { prefixRange } from '../../../src/domain/key-range.ts';
import type { Upstream, WatchSink } from '../../../src/domain/store.ts';
import { createAuthenticator } from '../../../src/etcd/authenticator.ts';
import { Cluster, DEFAULT_CLUSTER_TIMES } from '../../../src/etcd/cluster.ts';
import { Member } from '../../../src/etcd/member.ts';
import { openEtcd } from '../../../src/etcd/open-etcd.ts';
import { createWatchSource } from '../../../src/etcd/watch/watch-source.ts';
import { buildNewestEtcd } from '../../support/build-newest-etcd.ts';
import { compact, etcdWatchMetrics } from '../../support/etcd-watch-metrics.ts';
import { eventually } from '../../support/eventually.ts';
import { startFaultProxy } from '../../support/fault-proxy.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { headerAt, putAt, startScriptedEtcd } from './scripted-etcd.ts';
import { writeHistory } from './sequence-writer.ts';

/** So that what takes seconds takes a part of one. */
const QUICK = { heartbeatMs: 100, silenceMs: 500 };

const rangeOf = (prefix: string) => prefixRange(new TextEncoder().encode(prefix));

/** What a watch was told, in words. */
function createSink(): WatchSink & { readonly told: readonly string[] } {
  const told: string[] = [];
  return {
    told,
    events: (revision) => void told.push(`events ${revision}`),
    progress: (revision) => void told.push(`progress ${revision}`),
    compacted: () => void told.push('compacted'),
    failed: ({ reason }) => void told.push(`failed ${reason}`),
  };
}

describe.concurrent('a watch on a stream of etcd', () => {
  it('does not take a notice of progress for its own that was asked for before it was created', async () => {
    const asked: string[] = [];
    await using etcd = await startScriptedEtcd((call, { create_request, progress_request }) => {
      const watch_id = asked.length === 0 ? '0' : '1';
      const isLate = asked.length >= 3;
      // The first answer is under way until another watch is asked for; later ones come at once.
      if (progress_request && isLate) call.write({ header: headerAt(10), watch_id: '-1' });
      else if (progress_request && asked.length === 1) asked.push('progress');
      if (!create_request) return;
      asked.push(String(create_request.key));
      call.write({ header: headerAt(10), watch_id, created: true });
      if (watch_id === '0') return;
      call.write({ header: headerAt(10), watch_id: '-1' });
      call.write({ header: headerAt(10), watch_id, events: [putAt(7, 'b'), putAt(9, 'b')] });
    });
    await using adapter = openEtcd({ endpoints: [etcd.endpoint] });
    const [first, second] = [createSink(), createSink()];
    adapter.watches.open({ range: rangeOf('a'), fromRevision: 11n }, first);
    await eventually(() => expect(asked).toEqual(['a', 'progress']));
    adapter.watches.open({ range: rangeOf('b'), fromRevision: 6n }, second);
    await eventually(() => expect(second.told).toContain('events 9'));
    expect(second.told).toEqual(['events 7', 'events 9']);
    // Those that were asked for later count, although nothing was written meanwhile.
    await eventually(() => expect(second.told).toContain('progress 10'));
    expect(first.told).toEqual([]);
  });

  it('keeps no stream, and no connection busy, when its only watch is over', async () => {
    await using etcd = await startEtcd();
    await using direct = openEtcd({ endpoints: [etcd.endpoint] });
    await using proxy = await startFaultProxy(etcd.port);
    await using adapter = openEtcd({ endpoints: [proxy.endpoint] });
    const { store, watches } = adapter;
    // What is written at the same time may have one revision.
    await writeHistory(direct.store, { prefix: 'a/' }, 1);
    const revision = await writeHistory(direct.store, { prefix: 'a/' }, 5);
    await compact(etcd.endpoint, revision);
    for (const isPausable of [false, true]) {
      const sink = createSink();
      watches.open({ range: rangeOf('a/'), fromRevision: 2n, isPausable }, sink);
      await eventually(() => expect(sink.told).toEqual(['compacted']));
    }
    await eventually(async () => expect((await etcdWatchMetrics(etcd.endpoint)).openStreams).toBe(0));
    // A watch on the stream that is left takes its place.
    const sink = createSink();
    using _ = closing(watches.open({ range: rangeOf('a/'), fromRevision: revision + 1n }, sink));
    const next = await writeHistory(store, { prefix: 'a/' }, 1);
    await eventually(() => expect(sink.told).toContain(`events ${next}`));
  });

  it('stays on its stream when a stall is over', async () => {
    await using etcd = await startEtcd();
    await using direct = openEtcd({ endpoints: [etcd.endpoint] });
    await using proxy = await startFaultProxy(etcd.port);
    await using source = openQuickSource(proxy.endpoint);
    const sink = createSink();
    source.watches.open({ range: rangeOf('a/'), fromRevision: 2n }, sink);
    const first = await writeHistory(direct.store, { prefix: 'a/' }, 1);
    await eventually(() => expect(sink.told).toContain(`events ${first}`));
    proxy.stall(['toClient', 'toServer']);
    await delay(3 * QUICK.silenceMs);
    proxy.unstall();
    const second = await writeHistory(direct.store, { prefix: 'a/' }, 1);
    await eventually(() => expect(sink.told).toContain(`events ${second}`));
    // A busy machine may itself be silent for as long as a stream is borne with, but not all the time.
    await eventually(async () => {
      const { streams } = await etcdWatchMetrics(etcd.endpoint);
      await delay(6 * QUICK.silenceMs);
      expect((await etcdWatchMetrics(etcd.endpoint)).streams).toBe(streams);
    });
  });

  it('moves on by notices of progress on a stream that was opened in a stall', async () => {
    const built = await buildNewestEtcd();
    // The etcd that is found may be one whose notices are not to be trusted.
    if (built.kind === 'missing') return expect(built.reason).not.toBe('');
    await using etcd = await startEtcd({ binary: built.binary });
    await using direct = openEtcd({ endpoints: [etcd.endpoint] });
    await using proxy = await startFaultProxy(etcd.port);
    await using source = openQuickSource(proxy.endpoint);
    proxy.stall(['toClient']);
    const sink = createSink();
    source.watches.open({ range: rangeOf('a/'), fromRevision: 2n }, sink);
    await eventually(() => expect(proxy.connections).toBe(1));
    await delay(QUICK.silenceMs / 2);
    proxy.unstall();
    const revision = await writeHistory(direct.store, { prefix: 'other/' }, 1);
    await eventually(() => expect(sink.told).toContain(`progress ${revision}`));
  });

  it('asks now and then, not all the time, for a stream that etcd refuses it', async () => {
    await using etcd = await startScriptedEtcd((call, { create_request }) => {
      if (!create_request) return;
      const cancel_reason = 'etcdserver: invalid auth token';
      call.write({ header: headerAt(5), watch_id: '-1', created: true, canceled: true, cancel_reason });
    });
    await using adapter = openEtcd({ endpoints: [etcd.endpoint] });
    using _ = closing(adapter.watches.open({ range: rangeOf('a'), fromRevision: 2n }, createSink()));
    await eventually(() => expect(etcd.streams).toBeGreaterThan(3));
    const before = etcd.streams;
    await delay(2_000);
    expect(etcd.streams - before).toBeLessThan(10);
  });

  it('takes a revision of very many keys in one message', async () => {
    const events = Array.from({ length: 200_000 }, () => putAt(7, 'a'));
    await using etcd = await startScriptedEtcd((call, { create_request }) => {
      if (!create_request) return;
      call.write({ header: headerAt(10), watch_id: '0', created: true });
      call.write({ header: headerAt(10), watch_id: '0', events });
    });
    await using adapter = openEtcd({ endpoints: [etcd.endpoint] });
    const sink = createSink();
    using _ = closing(adapter.watches.open({ range: rangeOf('a'), fromRevision: 2n }, sink));
    await eventually(() => expect(sink.told).toEqual(['events 7']));
  });
});

function openQuickSource(endpoint: string) {
  const times = { ...DEFAULT_CLUSTER_TIMES, attemptTimeoutMs: 200 };
  const cluster = new Cluster([new Member(endpoint, undefined)], createAuthenticator(undefined), times);
  const watches = createWatchSource(cluster, QUICK);
  return {
    watches,
    async [Symbol.asyncDispose]() {
      watches.close();
      cluster.close();
    },
  };
}

function closing(upstream: Upstream): Disposable {
  return { [Symbol.dispose]: () => upstream.close() };
}
