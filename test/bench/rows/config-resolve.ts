import { concordResolve } from '../calls/config-calls.ts';
import { publishAll, rawPrefix, someItems } from '../calls/config-entries.ts';
import { VALUE_BYTES } from '../calls/entries.ts';
import { etcdPrefixRange } from '../calls/etcd-calls.ts';
import { GRPC_SHAPE } from '../load/shapes.ts';
import { driverOf, measureRounds, rates } from '../rounds.ts';
import type { Row } from '../row.ts';

const APPLICATIONS = 20;
/** How many items each layer has, the base first. */
const LAYERS = { default: 100, prod: 40, 'prod-eu': 10 } as const;
const ITEMS = LAYERS.default;

/** Resolve of three layers from memory, 100 in flight. */
export const configResolve: Row = {
  name: 'config-resolve',
  describes: `Resolve of ${ITEMS} items in three layers, from memory, over gRPC, against etcd's Range of ${ITEMS} keys, serializable`,
  async measure(bench) {
    const { etcd, gateway } = bench.peers;
    const applications = Array.from({ length: APPLICATIONS }, (_, i) => `bench-config-resolve-${i}`);
    const layers = applications.flatMap((application) =>
      Object.entries(LAYERS).map(([profile, items]) => someItems(application, profile, items)),
    );
    await publishAll(bench, layers);
    const hiddenCount = LAYERS.prod + LAYERS['prod-eu'];
    const profiles = ['prod', 'prod-eu'];
    const resolutions = applications.map((application) => {
      return { application, profiles, itemCount: ITEMS, hiddenCount };
    });
    const queries = applications.map((application) => ({ prefix: rawPrefix(application), count: ITEMS }));
    const shape = GRPC_SHAPE;
    const results = await measureRounds(bench, 'config-resolve', [
      { name: 'Concord', port: gateway.port, call: concordResolve(resolutions), shape },
      { name: 'etcd', port: etcd.port, call: etcdPrefixRange(queries, VALUE_BYTES), shape },
    ]);
    return [
      {
        measure: `Resolve of ${ITEMS} items from memory, gRPC, 100 in flight`,
        unit: 'per second',
        concord: rates(results('Concord')),
        peer: { name: 'etcd itself', values: rates(results('etcd')) },
        compares: 'ratio',
        ...driverOf(results('Concord')),
      },
    ];
  },
};
