import { concordPut } from '../calls/concord-calls.ts';
import { spreadEntries } from '../calls/entries.ts';
import { etcdPut, etcdPutJson } from '../calls/etcd-calls.ts';
import { GRPC_SHAPE, JSON_100_SHAPE } from '../load/shapes.ts';
import { driverOf, rates } from '../rounds.ts';
import type { Finding, Row } from '../row.ts';
import { measureWrites } from '../writes.ts';

/** Put of distinct keys over gRPC, 100 in flight. */
export const put: Row = {
  name: 'put',
  isBar: true,
  describes:
    'Put of distinct keys over gRPC, 4 connections × 25 streams, against etcd, its JSON gateway and its grpc-proxy',
  async measure(bench) {
    const { etcd, grpcProxy, gateway } = bench.peers;
    const prefix = '/bench/put/';
    const entries = spreadEntries(prefix);
    const call = etcdPut(entries);
    const shape = GRPC_SHAPE;
    const results = await measureWrites(bench, 'put', prefix, [
      { name: 'Concord', port: gateway.port, call: concordPut(entries), shape },
      { name: 'grpc-proxy', port: grpcProxy.port, call, shape },
      { name: 'JSON gateway', port: etcd.port, call: etcdPutJson(entries), shape: JSON_100_SHAPE },
      { name: 'etcd', port: etcd.port, call, shape },
    ]);
    const common = {
      measure: 'Put, gRPC, 100 in flight',
      unit: 'per second',
      concord: rates(results('Concord')),
      compares: 'ratio',
      ...driverOf(results('Concord')),
    } as const;
    const findings: readonly Finding[] = [
      { ...common, peer: { name: 'etcd grpc-proxy', values: rates(results('grpc-proxy')) } },
      {
        ...common,
        peer: { name: 'etcd JSON gateway', values: rates(results('JSON gateway')) },
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
