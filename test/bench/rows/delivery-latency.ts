import { setTimeout as delay } from 'node:timers/promises';
import type { Finding, Row } from '../row.ts';
import { median, percentile } from '../statistics.ts';
import { CONCORD, ETCD, measureWatched, type Watched } from '../watched.ts';

const SHAPE = { connections: 10, onEach: Number(process.env['EACH'] ?? 10) } as const;

/** From one Put to the next, unless the answer takes longer. */
const INTERVAL_MS = Number(process.env['INT'] ?? 5);

interface Latency {
  readonly medianMs: number;
  readonly p99Ms: number;
}

/** How long a write takes to come to its subscribers. */
export const deliveryLatency: Row = {
  name: 'delivery-latency',
  describes: `time from the sending of a Put until its event has come to a subscriber, of 100 of one prefix on 10 connections, a Put every ${INTERVAL_MS} ms, against etcd's own Watch`,
  async measure(bench) {
    const row = { name: 'delivery-latency', prefix: '/bench/delivery-latency/', shape: SHAPE };
    const results = await measureWatched(bench, row, deliverOneByOne);
    const finding = (name: string, valueOf: (latency: Latency) => number): Finding => ({
      measure: `latency to 100 subscribers, ${name}`,
      unit: 'ms',
      concord: results(CONCORD).map(valueOf),
      peer: { name: 'etcd itself', values: results(ETCD).map(valueOf) },
      compares: 'difference',
    });
    return [finding('median', ({ medianMs }) => medianMs), finding('99th percentile', ({ p99Ms }) => p99Ms)];
  },
};

/** Each Put waits for the answer to the one before, so that events come in the order in which Puts were sent. */
async function deliverOneByOne({ subscribers, writer }: Watched, seconds: number): Promise<Latency> {
  const puts = Math.ceil((seconds * 1_000) / INTERVAL_MS);
  const sentAtMs: number[] = [];
  const latenciesMs: number[] = [];
  const onEvent = (index: number) => latenciesMs.push(performance.now() - (sentAtMs[index] ?? Number.NaN));
  const received = subscribers.receive(puts, { onEvent });

  async function writeAll(): Promise<void> {
    const startedAtMs = performance.now();
    for (let put = 0; put < puts; put += 1) {
      await delay(Math.max(0, startedAtMs + put * INTERVAL_MS - performance.now()));
      sentAtMs.push(performance.now());
      await writer.write(1);
    }
  }

  await Promise.all([received, writeAll()]);
  return { medianMs: median(latenciesMs), p99Ms: percentile(latenciesMs, 99) };
}
