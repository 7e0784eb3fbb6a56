import { concordConfigGet, spread } from '../calls/config-calls.ts';
import { publishAll, rawPrefix, someApplications } from '../calls/config-entries.ts';
import { etcdSerializableRange } from '../calls/etcd-calls.ts';
import { GRPC_SHAPE } from '../load/shapes.ts';
import { driverOf, measureRounds, rates } from '../rounds.ts';
import type { Row } from '../row.ts';

const APPLICATIONS = 100;
const ITEMS = 100;

/** Get of configuration from memory on all cores, which etcd has too, 100 in flight. */
export const configGet: Row = {
  name: 'config-get',
  isBar: true,
  describes: `Get of one item of ${APPLICATIONS} applications with ${ITEMS} each, from memory, on all cores, over gRPC, against etcd's Range of its key, serializable`,
  async measure(bench) {
    const { etcd } = bench.peers;
    await using gateway = await bench.peers.startGatewayOnAllCores();
    const applications = someApplications('bench-config-get', APPLICATIONS, ITEMS);
    await publishAll(bench, applications);
    const entries = spread(applications).map(({ application, entry: { key, value } }) => ({
      key: `${rawPrefix(application)}${key}`,
      value,
    }));
    const shape = GRPC_SHAPE;
    const results = await measureRounds(bench, 'config-get', [
      { name: 'Concord', port: gateway.port, call: concordConfigGet(applications), shape },
      { name: 'etcd', port: etcd.port, call: etcdSerializableRange(entries), shape },
    ]);
    return [
      {
        measure: 'Get of configuration from memory, all cores, gRPC, 100 in flight',
        unit: 'per second',
        concord: rates(results('Concord')),
        peer: { name: 'etcd itself', values: rates(results('etcd')) },
        compares: 'ratio',
        ...driverOf(results('Concord')),
        target: { kind: 'at-least', bar: 0.8, nextBar: 1.5 },
      },
    ];
  },
};
