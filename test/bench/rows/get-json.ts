import { concordGetJson } from '../calls/concord-calls.ts';
import { spreadEntries } from '../calls/entries.ts';
import { etcdRangeJson } from '../calls/etcd-calls.ts';
import { JSON_SHAPE } from '../load/shapes.ts';
import { seed } from '../peers/etcd-json.ts';
import { driverOf, measureRounds, rates } from '../rounds.ts';
import type { Row } from '../row.ts';

/** Linearizable Get as Connect JSON over HTTP/1.1. */
export const getJson: Row = {
  name: 'get-json',
  isBar: true,
  describes: "linearizable Get as Connect JSON, 64 connections of HTTP/1.1, against etcd's JSON gateway",
  async measure(bench) {
    const { etcd, gateway } = bench.peers;
    const entries = spreadEntries('/bench/get/');
    await seed(etcd.endpoint, entries, bench);
    const results = await measureRounds(bench, 'get-json', [
      { name: 'Concord', port: gateway.port, call: concordGetJson(entries), shape: JSON_SHAPE },
      { name: 'JSON gateway', port: etcd.port, call: etcdRangeJson(entries), shape: JSON_SHAPE },
    ]);
    return [
      {
        measure: 'Get, JSON, HTTP/1.1, 64 in flight',
        unit: 'per second',
        concord: rates(results('Concord')),
        peer: { name: 'etcd JSON gateway', values: rates(results('JSON gateway')) },
        compares: 'ratio',
        ...driverOf(results('Concord')),
        target: { kind: 'at-least', bar: 1.3, nextBar: 2 },
      },
    ];
  },
};
