import { concordGet, concordGetJson, concordPut } from '../calls/concord-calls.ts';
import { spreadEntries } from '../calls/entries.ts';
import { etcdPut, etcdRange, etcdRangeJson } from '../calls/etcd-calls.ts';
import type { LoadShape } from '../load/load.ts';
import { compact, seed } from '../peers/etcd-json.ts';
import type { Plot } from '../plots/plot.ts';
import type { Bench } from '../row.ts';
import { measureLines } from './measure-lines.ts';

/** By the calls in flight. */
const GRPC_SHAPES: ReadonlyMap<number, LoadShape> = new Map([
  [1, { connections: 1, inFlight: 1 }],
  [10, { connections: 2, inFlight: 5 }],
  [100, { connections: 4, inFlight: 25 }],
  [1_000, { connections: 10, inFlight: 100 }],
]);
const SIZES = [...GRPC_SHAPES.keys()];
const LABELS = { xLabel: 'calls in flight', yLabel: 'calls per second' } as const;

/** Get, Put and Get as JSON, with 1 to 1,000 calls in flight. */
export async function measureInFlight(bench: Bench): Promise<readonly Plot[]> {
  const { etcd, grpcProxy, gateway } = bench.peers;
  const read = spreadEntries('/bench/get/');
  const written = spreadEntries('/bench/growth-put/');
  await seed(etcd.endpoint, read, bench);
  const range = etcdRange(read);
  const put = etcdPut(written);
  const gets = await measureLines(bench, 'Get in flight', SIZES, async (size) => {
    const shape = grpcShape(size);
    return [
      { name: 'Concord', port: gateway.port, call: concordGet(read), shape },
      { name: 'etcd grpc-proxy', port: grpcProxy.port, call: range, shape },
      { name: 'etcd itself', port: etcd.port, call: range, shape },
    ];
  });
  const getsJson = await measureLines(bench, 'Get as JSON in flight', SIZES, async (size) => {
    const shape = { connections: size, inFlight: 1 };
    return [
      { name: 'Concord', port: gateway.port, call: concordGetJson(read), shape },
      { name: 'etcd JSON gateway', port: etcd.port, call: etcdRangeJson(read), shape },
    ];
  });
  const puts = await measureLines(bench, 'Put in flight', SIZES, async (size) => {
    const shape = grpcShape(size);
    await compact(etcd.endpoint, bench);
    return [
      { name: 'Concord', port: gateway.port, call: concordPut(written), shape },
      { name: 'etcd itself', port: etcd.port, call: put, shape },
    ];
  });
  await compact(etcd.endpoint, bench);
  return [
    { name: 'get-in-flight', title: 'Linearizable Get over gRPC, 10,000 keys', ...LABELS, lines: gets },
    {
      name: 'get-json-in-flight',
      title: 'Linearizable Get as JSON over HTTP/1.1, 10,000 keys',
      ...LABELS,
      lines: getsJson,
    },
    { name: 'put-in-flight', title: 'Put of distinct keys over gRPC', ...LABELS, lines: puts },
  ];
}

function grpcShape(size: number): LoadShape {
  const shape = GRPC_SHAPES.get(size);
  if (shape === undefined) throw new Error(`no shape has ${size} calls in flight`);
  return shape;
}
