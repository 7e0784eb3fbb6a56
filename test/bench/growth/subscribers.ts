import { spreadEntries } from '../calls/entries.ts';
import { etcdPut } from '../calls/etcd-calls.ts';
import { concordWatch, etcdWatch } from '../calls/watch-calls.ts';
import { deliverBursts } from '../deliver-bursts.ts';
import { openSubscribers, type SubscriberShape } from '../load/subscribers.ts';
import type { WatchCall } from '../load/watch-call.ts';
import { openWriter, type Writer } from '../load/writer.ts';
import { settledMemoryBytes } from '../peers/resident-memory.ts';
import type { Plot } from '../plots/plot.ts';
import type { Bench } from '../row.ts';

const SHAPES: readonly SubscriberShape[] = [
  { connections: 1, onEach: 10 },
  { connections: 10, onEach: 100 },
  { connections: 20, onEach: 500 },
];
const PREFIX = '/bench/growth-subscribers/';
/** Of one burst: so many that a server is busy, and so few that a slow one is done in seconds. */
const MAX_PUTS = 100;
const MAX_DELIVERIES = 50_000;

/** A server with a process of its own. */
interface Server {
  readonly pid: number;
  readonly port: number;
}

/** What one server comes to with so many subscribers. */
interface Served {
  readonly x: number;
  readonly perSecond: number;
  readonly memoryMb: number;
}

/** Deliveries, and the memory of the server, with 10 to 10,000 subscribers of one prefix; one round, on servers of its own. */
export async function measureSubscribers(bench: Bench): Promise<readonly Plot[]> {
  const { peers, progress } = bench;
  const watched = { prefix: PREFIX, entries: spreadEntries(PREFIX) };
  const put = etcdPut(watched.entries);
  const concord: Served[] = [];
  const itself: Served[] = [];
  for (const shape of SHAPES) {
    progress(`subscribers, ${shape.connections * shape.onEach}`);
    {
      await using etcd = await peers.startAnotherEtcd();
      await using gateway = await peers.startAnotherGateway(etcd.endpoint);
      using writer = await openWriter(etcd.port, put);
      concord.push(await serve(bench, gateway, concordWatch(watched), { shape, writer }));
    }
    {
      await using etcd = await peers.startAnotherEtcd();
      using writer = await openWriter(etcd.port, put);
      itself.push(await serve(bench, etcd, etcdWatch(watched), { shape, writer }));
    }
  }
  const lines = (select: (served: Served) => number): Plot['lines'] =>
    [
      { name: 'Concord', served: concord },
      { name: 'etcd itself', served: itself },
    ].map(({ name, served }) => ({
      name,
      points: served.map((each) => ({ x: each.x, values: [select(each)] })),
    }));
  const xLabel = 'subscribers of one prefix';
  return [
    {
      name: 'fan-out-subscribers',
      title: 'Deliveries to subscribers',
      xLabel,
      yLabel: 'deliveries per second',
      lines: lines(({ perSecond }) => perSecond),
    },
    {
      name: 'memory-subscribers',
      title: 'Memory of a server with idle subscribers',
      xLabel,
      yLabel: 'resident memory, MB',
      lines: lines(({ memoryMb }) => memoryMb),
    },
  ];
}

async function serve(
  bench: Bench,
  { pid, port }: Server,
  call: WatchCall,
  { shape, writer }: { readonly shape: SubscriberShape; readonly writer: Writer },
): Promise<Served> {
  using subscribers = await openSubscribers(port, call, shape, bench);
  const memoryMb = (await settledMemoryBytes(pid, bench)) / 1_000_000;
  const puts = Math.min(MAX_PUTS, MAX_DELIVERIES / subscribers.count);
  // The first warms it up.
  await deliverBursts({ subscribers, writer }, puts, 0.001);
  const perSecond = await deliverBursts({ subscribers, writer }, puts, bench.seconds);
  return { x: subscribers.count, perSecond, memoryMb };
}
