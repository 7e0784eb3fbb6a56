import { concordGet } from '../calls/concord-calls.ts';
import { type Entry, VALUE_BYTES } from '../calls/entries.ts';
import { etcdRange, etcdTxn } from '../calls/etcd-calls.ts';
import { GRPC_SHAPE } from '../load/shapes.ts';
import { openWriter } from '../load/writer.ts';
import { compact } from '../peers/etcd-json.ts';
import type { Plot } from '../plots/plot.ts';
import type { Bench } from '../row.ts';
import { measureLines } from './measure-lines.ts';

const SIZES = [100, 10_000, 1_000_000];
const PREFIX = '/bench/growth-keys/';
/** How many of the keys are asked for, far apart. */
const MAX_ASKED = 10_000;
/** Shares no factor with a power of ten. */
const STEP = 7_919;
/** etcd's default limit of operations in a transaction. */
const PUTS_IN_TXN = 128;
const TXNS_AT_ONCE = 64;

/** Get with 100 to 1,000,000 keys in etcd. */
export async function measureKeys(bench: Bench): Promise<readonly Plot[]> {
  const { etcd, grpcProxy, gateway } = bench.peers;
  const shape = GRPC_SHAPE;
  let written = 0;
  const lines = await measureLines(bench, 'Get of keys', SIZES, async (size) => {
    bench.progress(`Get of keys: writing keys up to ${size}`);
    await writeKeys(bench, written, size);
    written = size;
    const entries = Array.from({ length: Math.min(size, MAX_ASKED) }, (_, i) => entryAt((i * STEP) % size));
    const range = etcdRange(entries);
    return [
      { name: 'Concord', port: gateway.port, call: concordGet(entries), shape },
      { name: 'etcd grpc-proxy', port: grpcProxy.port, call: range, shape },
      { name: 'etcd itself', port: etcd.port, call: range, shape },
    ];
  });
  return [
    {
      name: 'get-keys',
      title: 'Linearizable Get over gRPC, 100 in flight',
      xLabel: 'keys in etcd',
      yLabel: 'calls per second',
      lines,
    },
  ];
}

/** Writes the keys from one index up to another, past the gateway. */
async function writeKeys(bench: Bench, from: number, to: number): Promise<void> {
  const { etcd } = bench.peers;
  for (let start = from; start < to; start += PUTS_IN_TXN * TXNS_AT_ONCE) {
    bench.signal.throwIfAborted();
    const end = Math.min(to, start + PUTS_IN_TXN * TXNS_AT_ONCE);
    const batches = Array.from({ length: Math.ceil((end - start) / PUTS_IN_TXN) }, (_, batch) => {
      const first = start + batch * PUTS_IN_TXN;
      return Array.from({ length: Math.min(PUTS_IN_TXN, end - first) }, (__, i) => entryAt(first + i));
    });
    using writer = await openWriter(etcd.port, etcdTxn(batches));
    await writer.write(batches.length);
  }
  await compact(etcd.endpoint, bench);
}

/** A value that takes little to make: there are a million. */
function entryAt(index: number): Entry {
  const key = `${PREFIX}${String(index).padStart(7, '0')}`;
  return { key, value: key.padEnd(VALUE_BYTES, '.') };
}
