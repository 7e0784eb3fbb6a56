import { setTimeout as delay } from 'node:timers/promises';
import type { Finding, Row } from '../row.ts';
import { median, percentile } from '../statistics.ts';
import { CONCORD, ETCD, measureWatched, type Watched } from '../watched.ts';

const SHAPE = { connections: 10, onEach: 10 } as const;

/** From one Put to the next, where the answer does not take longer: either server is idle most of the time. */
const INTERVAL_MS = 5;

interface Latency {
  readonly medianMs: number;
  readonly p99Ms: number;
}

/** How long a write takes to come to its subscribers. */
export const deliveryLatency: Row = {
  name: 'delivery-latency',
  describes:
    "time from a Put, one each 5 ms, to its arrival at each of 100 subscribers, 10 connections × 10 streams, against etcd's own Watch",
  async measure(bench) {
    const row = { name: 'delivery-latency', prefix: '/bench/delivery-latency/', shape: SHAPE };
    const results = await measureWatched(bench, row, deliverOneByOne);
    const finding = (name: string, select: (latency: Latency) => number): Finding => ({
      measure: `latency to 100 subscribers, ${name}`,
      unit: 'ms',
      concord: results(CONCORD).map(select),
      peer: { name: 'etcd itself', values: results(ETCD).map(select) },
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
    for (let put = 0; put < puts; put += 1) {
      const sentNowMs = performance.now();
      sentAtMs.push(sentNowMs);
      await writer.write(1);
      await delay(INTERVAL_MS - (performance.now() - sentNowMs));
    }
  }

  await Promise.all([received, writeAll()]);
  return { medianMs: median(latenciesMs), p99Ms: percentile(latenciesMs, 99) };
}
