import { concordGet } from '../calls/concord-calls.ts';
import { spreadEntries } from '../calls/entries.ts';
import { etcdRange } from '../calls/etcd-calls.ts';
import type { LoadResult } from '../load/load.ts';
import { LONE_SHAPE } from '../load/shapes.ts';
import { seed } from '../peers/etcd-json.ts';
import { driverOf, measureRounds } from '../rounds.ts';
import type { Row } from '../row.ts';

/** What the gateway adds to the latency of a lone Get. */
export const latency: Row = {
  name: 'latency',
  isBar: true,
  describes: 'latency that the gateway adds to a lone linearizable Get over gRPC, at the median',
  async measure(bench) {
    const { etcd, gateway } = bench.peers;
    const entries = spreadEntries('/bench/get/');
    await seed(etcd.endpoint, entries, bench);
    const results = await measureRounds(bench, 'latency', [
      { name: 'Concord', port: gateway.port, call: concordGet(entries), shape: LONE_SHAPE },
      { name: 'etcd', port: etcd.port, call: etcdRange(entries), shape: LONE_SHAPE },
    ]);
    return [
      {
        measure: 'latency of a lone Get, gRPC',
        unit: 'ms',
        concord: medians(results('Concord')),
        peer: { name: 'etcd itself', values: medians(results('etcd')) },
        compares: 'difference',
        ...driverOf(results('Concord')),
        target: { kind: 'at-most', bar: 0.5, nextBar: 0.2 },
      },
    ];
  },
};

function medians(results: readonly LoadResult[]): readonly number[] {
  return results.map(({ medianMs }) => medianMs);
}
