import { spreadEntries } from '../calls/entries.ts';
import { etcdPut } from '../calls/etcd-calls.ts';
import { concordWatch, etcdWatch } from '../calls/watch-calls.ts';
import { openSubscribers } from '../load/subscribers.ts';
import type { WatchCall } from '../load/watch-call.ts';
import { openWriter, type Writer } from '../load/writer.ts';
import { settledMemoryBytes } from '../peers/resident-memory.ts';
import { startGatewayProcess } from '../peers/start-gateway-process.ts';
import type { Bench, Row } from '../row.ts';

const SHAPE = { connections: 20, onEach: 500 } as const;
/** Each takes some ten seconds, and they differ little. */
const MAX_ROUNDS = 3;
const PREFIX = '/bench/subscriber-memory/';

/** What an idle subscriber costs. Each round has servers of its own, since memory that was used once stays taken. */
export const subscriberMemory: Row = {
  name: 'subscriber-memory',
  isBar: true,
  describes:
    "resident memory of an idle subscriber, of 10,000 on 20 connections × 500 streams, at most 3 rounds, against etcd's own Watch",
  async measure(bench) {
    const { peers, signal } = bench;
    const watched = { prefix: PREFIX, entries: spreadEntries(PREFIX) };
    const put = etcdPut(watched.entries);
    const rounds = Math.min(bench.rounds, MAX_ROUNDS);
    const concordKb: number[] = [];
    const etcdKb: number[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      bench.progress(`subscriber-memory: round ${round} of ${rounds}, Concord`);
      {
        await using gateway = await startGatewayProcess(peers.etcd.endpoint, { signal });
        using writer = await openWriter(peers.etcd.port, put);
        concordKb.push(await memoryOfEachKb(bench, gateway, concordWatch(watched), writer));
      }
      bench.progress(`subscriber-memory: round ${round} of ${rounds}, etcd`);
      {
        await using etcd = await peers.startAnotherEtcd();
        using writer = await openWriter(etcd.port, put);
        etcdKb.push(await memoryOfEachKb(bench, etcd, etcdWatch(watched), writer));
      }
    }
    return [
      {
        measure: 'memory of an idle subscriber, of 10,000',
        unit: 'KB',
        concord: concordKb,
        peer: { name: 'etcd itself', values: etcdKb },
        compares: 'itself',
        target: { kind: 'at-most', bar: 12, nextBar: 6 },
      },
    ];
  },
};

/** Afterwards every subscriber must still get what is written. */
async function memoryOfEachKb(
  bench: Bench,
  { pid, port }: { readonly pid: number; readonly port: number },
  call: WatchCall,
  writer: Writer,
): Promise<number> {
  const bytesBefore = await settledMemoryBytes(pid, bench);
  using subscribers = await openSubscribers(port, call, SHAPE, bench);
  const bytesAfter = await settledMemoryBytes(pid, bench);
  await Promise.all([subscribers.receive(1), writer.write(1)]);
  return (bytesAfter - bytesBefore) / subscribers.count / 1_000;
}
