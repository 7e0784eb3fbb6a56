import { concordPutJson } from '../calls/concord-calls.ts';
import { spreadEntries } from '../calls/entries.ts';
import { etcdPutJson } from '../calls/etcd-calls.ts';
import { JSON_100_SHAPE } from '../load/shapes.ts';
import { driverOf, rates } from '../rounds.ts';
import type { Row } from '../row.ts';
import { measureWrites } from '../writes.ts';

/** Put of distinct keys as Connect JSON over HTTP/1.1. */
export const putJson: Row = {
  name: 'put-json',
  isBar: true,
  describes: "Put of distinct keys as Connect JSON, 100 connections of HTTP/1.1, against etcd's JSON gateway",
  async measure(bench) {
    const { etcd, gateway } = bench.peers;
    const prefix = '/bench/put-json/';
    const entries = spreadEntries(prefix);
    const results = await measureWrites(bench, 'put-json', prefix, [
      { name: 'Concord', port: gateway.port, call: concordPutJson(entries), shape: JSON_100_SHAPE },
      { name: 'JSON gateway', port: etcd.port, call: etcdPutJson(entries), shape: JSON_100_SHAPE },
    ]);
    return [
      {
        measure: 'Put, JSON, HTTP/1.1, 100 in flight',
        unit: 'per second',
        concord: rates(results('Concord')),
        peer: { name: 'etcd JSON gateway', values: rates(results('JSON gateway')) },
        compares: 'ratio',
        ...driverOf(results('Concord')),
        target: { kind: 'at-least', bar: 1.3 },
      },
    ];
  },
};
