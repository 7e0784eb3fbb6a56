import { deliverBursts } from '../deliver-bursts.ts';
import type { Finding, Row } from '../row.ts';
import { CONCORD, ETCD, measureWatched, type Watched } from '../watched.ts';

const SHAPE = { connections: 10, onEach: 100 } as const;

/**
 * Puts that are sent at once; the next are sent when every subscriber has got these. They keep either server busy, and are fewer
 * than the 128 responses that etcd queues for a stream (`chanBufLen`): it does not have to read its store again for who lags.
 */
const BURST_PUTS = 100;

interface FanOut {
  readonly perSecond: number;
  readonly etcdWatches: number;
}

/** Deliveries of writes to many subscribers. */
export const fanOut: Row = {
  name: 'fan-out',
  isBar: true,
  describes:
    "deliveries to 1,000 subscribers of one prefix, 10 connections × 100 streams, against etcd's own Watch",
  async measure(bench) {
    const row = { name: 'fan-out', prefix: '/bench/fan-out/', shape: SHAPE };
    const results = await measureWatched(bench, row, deliver);
    const rates = (name: string) => results(name).map(({ perSecond }) => perSecond);
    const watches = (name: string) => results(name).map(({ etcdWatches }) => etcdWatches);
    const findings: readonly Finding[] = [
      {
        measure: 'deliveries to 1,000 subscribers',
        unit: 'per second',
        concord: rates(CONCORD),
        peer: { name: 'etcd itself', values: rates(ETCD) },
        compares: 'ratio',
        target: { kind: 'at-least', bar: 0.8, nextBar: 2 },
      },
      {
        measure: 'watches in etcd for them',
        unit: 'watches',
        concord: watches(CONCORD),
        peer: { name: 'etcd itself', values: watches(ETCD) },
        compares: 'itself',
        target: { kind: 'at-most', bar: 1 },
      },
    ];
    return findings;
  },
};

async function deliver(watched: Watched, seconds: number): Promise<FanOut> {
  return {
    perSecond: await deliverBursts(watched, BURST_PUTS, seconds),
    etcdWatches: watched.etcdWatches,
  };
}
