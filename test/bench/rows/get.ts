import { concordGet } from '../calls/concord-calls.ts';
import { spreadEntries } from '../calls/entries.ts';
import { etcdRange } from '../calls/etcd-calls.ts';
import { GRPC_SHAPE } from '../load/shapes.ts';
import { seed } from '../peers/etcd-json.ts';
import { driverOf, measureRounds, rates } from '../rounds.ts';
import type { Finding, Row } from '../row.ts';

/** Linearizable Get over gRPC, 100 in flight. */
export const get: Row = {
  name: 'get',
  isBar: true,
  describes: 'linearizable Get over gRPC, 4 connections × 25 streams, against etcd and its grpc-proxy',
  async measure(bench) {
    const { etcd, grpcProxy, gateway } = bench.peers;
    const entries = spreadEntries('/bench/get/');
    await seed(etcd.endpoint, entries, bench);
    const range = etcdRange(entries);
    const shape = GRPC_SHAPE;
    const results = await measureRounds(bench, 'get', [
      { name: 'Concord', port: gateway.port, call: concordGet(entries), shape },
      { name: 'grpc-proxy', port: grpcProxy.port, call: range, shape },
      { name: 'etcd', port: etcd.port, call: range, shape },
    ]);
    const common = {
      measure: 'Get, gRPC, 100 in flight',
      unit: 'per second',
      concord: rates(results('Concord')),
      compares: 'ratio',
      ...driverOf(results('Concord')),
    } as const;
    const findings: readonly Finding[] = [
      {
        ...common,
        peer: { name: 'etcd grpc-proxy', values: rates(results('grpc-proxy')) },
        target: { kind: 'at-least', bar: 1.3 },
      },
      {
        ...common,
        peer: { name: 'etcd itself', values: rates(results('etcd')) },
        target: { kind: 'at-least', bar: 0.5, nextBar: 1 },
      },
    ];
    return findings;
  },
};
