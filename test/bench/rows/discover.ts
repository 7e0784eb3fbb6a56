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
import { measureRounds, rates } from '../rounds.ts';
import type { Finding, Row } from '../row.ts';

const SERVICES = 1_000;
const INSTANCES = 10;

/** Discover from memory, 100 in flight. */
export const discover: Row = {
  name: 'discover',
  describes: `Discover of one of ${SERVICES} services of ${INSTANCES}, from memory, over gRPC, against etcd's Range of its prefix, serializable`,
  measure: (bench) => measureReads(bench, 'discover', 'Discover', concordDiscover),
};

/** Pick from memory, 100 in flight. */
export const pick: Row = {
  name: 'pick',
  describes: `Pick of one of ${SERVICES} services of ${INSTANCES}, from memory, over gRPC, against etcd's Range of its prefix, serializable`,
  measure: (bench) => measureReads(bench, 'pick', 'Pick', concordPick),
};

async function measureReads(
  bench: Parameters<Row['measure']>[0],
  name: string,
  rpc: string,
  callOf: (services: readonly SeededService[]) => Call,
): Promise<readonly Finding[]> {
  const { etcd, gateway } = bench.peers;
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
  return [
    {
      measure: `${rpc} from memory, gRPC, 100 in flight`,
      unit: 'per second',
      concord: rates(results('Concord')),
      peer: { name: 'etcd itself', values: rates(results('etcd')) },
      compares: 'ratio',
    },
  ];
}
