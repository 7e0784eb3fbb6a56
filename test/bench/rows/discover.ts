import {
  concordDiscover,
  concordPick,
  etcdServiceRange,
  type SeededService,
  someServices,
} from '../calls/discovery-calls.ts';
import type { Call } from '../load/call.ts';
import { GRPC_SHAPE } from '../load/shapes.ts';
import { seed } from '../peers/etcd-json.ts';
import type { GatewayProcess } from '../peers/start-gateway-process.ts';
import { driverOf, measureRounds, rates } from '../rounds.ts';
import type { Bench, Finding, Row } from '../row.ts';

const SERVICES = 1_000;
const INSTANCES = 10;

/** Discover from memory on all cores, which etcd has too, 100 in flight. */
export const discover: Row = {
  name: 'discover',
  isBar: true,
  describes: `Discover of one of ${SERVICES} services of ${INSTANCES}, from memory, on all cores, over gRPC, against etcd's Range of its prefix, serializable`,
  async measure(bench) {
    await using gateway = await bench.peers.startGatewayOnAllCores();
    const finding = await measureReads(bench, gateway, {
      name: 'discover',
      measure: 'Discover from memory, all cores',
      callOf: concordDiscover,
    });
    return [{ ...finding, target: { kind: 'at-least', bar: 0.8, nextBar: 1.5 } }];
  },
};

/** Pick from memory, 100 in flight. */
export const pick: Row = {
  name: 'pick',
  describes: `Pick of one of ${SERVICES} services of ${INSTANCES}, from memory, over gRPC, against etcd's Range of its prefix, serializable`,
  async measure(bench) {
    const { gateway } = bench.peers;
    return [
      await measureReads(bench, gateway, { name: 'pick', measure: 'Pick from memory', callOf: concordPick }),
    ];
  },
};

interface Reads {
  readonly name: string;
  readonly measure: string;
  readonly callOf: (services: readonly SeededService[]) => Call;
}

async function measureReads(
  bench: Bench,
  gateway: Pick<GatewayProcess, 'port'>,
  { name, measure, callOf }: Reads,
): Promise<Finding> {
  const { etcd } = bench.peers;
  const services = someServices(`bench-${name}`, SERVICES, INSTANCES);
  await seed(
    etcd.endpoint,
    services.flatMap(({ entries }) => entries),
    bench,
  );
  const shape = GRPC_SHAPE;
  const results = await measureRounds(bench, name, [
    { name: 'Concord', port: gateway.port, call: callOf(services), shape },
    { name: 'etcd', port: etcd.port, call: etcdServiceRange(services), shape },
  ]);
  return {
    measure: `${measure}, gRPC, 100 in flight`,
    unit: 'per second',
    concord: rates(results('Concord')),
    peer: { name: 'etcd itself', values: rates(results('etcd')) },
    compares: 'ratio',
    ...driverOf(results('Concord')),
  };
}
