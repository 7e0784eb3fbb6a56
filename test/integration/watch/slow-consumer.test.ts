import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WatchResponse_Kind as Kind, type WatchResponse } from '../../../gen/concord/kv/v1/kv_service_pb.ts';
import { type Etcd, openEtcd } from '../../../src/etcd/open-etcd.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { openKvClient } from '../../support/kv-client.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { writeHistory } from './sequence-writer.ts';
import { startRecording, stateAt, WatchRecorder } from './watch-recorder.ts';

/** More than etcd sends at once to who catches up: a thousand revisions. */
const HISTORY_BYTES = 24 * 1024 * 1024;
/** What is over the bound goes when those who keep up have had their turn: by as much as etcd sends at once. */
const BURST_BYTES = 16 * 1024 * 1024;
/** Some 32 MB, and as much again of what the keys held before: more than a client, a server and the history hold together of what is not read. */
const REVISIONS = 4_000;
const VALUE_BYTES = 8_000;
const KEYS = 50;
const prefixOf = () => `test/${randomUUID()}/`;

describe('a subscriber that does not read', { timeout: 240_000 }, () => {
  let etcd: TestEtcd;
  let direct: Etcd;
  let gateway: TestGateway;

  beforeAll(async () => {
    etcd = await startEtcd();
    direct = openEtcd({ endpoints: [etcd.endpoint] });
    gateway = await startGateway([etcd.endpoint], { CONCORD_WATCH_HISTORY_BYTES: String(HISTORY_BYTES) });
  });

  afterAll(async () => {
    await gateway?.[Symbol.asyncDispose]();
    direct?.close();
    await etcd?.stop();
  });

  /** Writes much, and returns the newest revision and the most that the gateway held of it at a time. */
  async function writeMuch(prefix: string) {
    let mostHistoryBytes = 0;
    const timer = setInterval(() => {
      mostHistoryBytes = Math.max(mostHistoryBytes, gateway.app.stats().watch.historyBytes);
    }, 5);
    try {
      const last = await writeHistory(
        direct.store,
        // One after the other: what is written at the same time may have one revision, and a thousand of those be more than the history.
        { prefix, keys: KEYS, valueBytes: VALUE_BYTES, lanes: 1 },
        REVISIONS,
      );
      return { last, mostHistoryBytes };
    } finally {
      clearInterval(timer);
    }
  }

  it('is ended with a token that it goes on from, and holds up neither others nor the gateway', async () => {
    const prefix = prefixOf();
    const kv = () => openKvClient(gateway.url);
    await using one = await startRecording(kv(), { prefix });
    await using other = await startRecording(kv(), { prefix });
    const gate = Promise.withResolvers<void>();
    const slow = new WatchRecorder();
    const ended = slow.follow(readAfter(gate.promise, kv().watch({ prefix })));
    await eventually(() => expect(slow.messageCount).toBe(1));

    const { last, mostHistoryBytes } = await writeMuch(prefix);
    for (const { recorder } of [one, other]) {
      await recorder.reaches(last);
      expect(recorder.eventCount).toBe(REVISIONS);
      expect(recorder.faults).toEqual([]);
    }
    expect(mostHistoryBytes).toBeGreaterThan(HISTORY_BYTES / 2);
    expect(mostHistoryBytes).toBeLessThan(HISTORY_BYTES + BURST_BYTES);
    expect(slow.messageCount).toBe(1);

    gate.resolve();
    await ended;
    const failure = await failureOf(Promise.reject(slow.end?.error));
    expect(failure).toMatchObject({ code: 'ResourceExhausted', reason: 'WATCH_TOO_SLOW' });
    expect(slow.eventCount).toBeLessThan(REVISIONS);
    const { resume_token: resumeToken = '' } = failure.metadata;
    await using _resumed = await startRecording(kv(), { prefix, resumeToken }, slow);
    await slow.reaches(last);
    expect(slow.faults).toEqual([]);
    expect(slow.resyncs).toEqual([]);
    expect(slow.eventCount).toBe(REVISIONS);
    expect(slow.state).toEqual(await stateAt(direct.store, prefix));
  });

  it('is not ended where it coalesces, but gets the latest of each key', async () => {
    const prefix = prefixOf();
    await using other = await startRecording(openKvClient(gateway.url), { prefix });
    const gate = Promise.withResolvers<void>();
    const controller = new AbortController();
    const messages: WatchResponse[] = [];
    const stream = openKvClient(gateway.url).watch({ prefix, coalesce: true }, controller);
    const reading = (async () => {
      for await (const message of readAfter(gate.promise, stream)) messages.push(message);
    })().catch(() => {});
    await eventually(() => expect(messages).toHaveLength(1));

    const { last, mostHistoryBytes } = await writeMuch(prefix);
    await other.recorder.reaches(last);
    expect(mostHistoryBytes).toBeLessThan(HISTORY_BYTES + BURST_BYTES);
    expect(messages).toHaveLength(1);
    gate.resolve();
    await eventually(() => expect(messages.at(-1)?.revision).toBe(last));

    const changes = messages.filter(({ kind }) => kind === Kind.EVENTS);
    const revisions = changes.map(({ revision }) => revision);
    expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => Number(a - b)));
    const events = changes.flatMap(({ events }) => events);
    expect(events.length).toBeLessThan(REVISIONS);
    const latest = new Map(events.map(({ kv }) => [kv?.key, kv?.modRevision]));
    const state = await stateAt(direct.store, prefix);
    expect(latest).toEqual(new Map([...state].map(([key, { modRevision }]) => [key, modRevision])));
    controller.abort();
    await reading;
  });
});

/** Reads the first message of a stream, and the rest when the gate is open. */
async function* readAfter<T>(gate: Promise<void>, stream: AsyncIterable<T>): AsyncGenerator<T> {
  let isFirst = true;
  for await (const message of stream) {
    yield message;
    if (isFirst) await gate;
    isFirst = false;
  }
}
