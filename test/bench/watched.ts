import { etcdWatchMetrics } from '../support/etcd-watch-metrics.ts';
import { eventually } from '../support/eventually.ts';
import { spreadEntries } from './calls/entries.ts';
import { etcdPut } from './calls/etcd-calls.ts';
import { concordWatch, etcdWatch } from './calls/watch-calls.ts';
import { openSubscribers, type SubscriberShape, type Subscribers } from './load/subscribers.ts';
import { openWriter, type Writer } from './load/writer.ts';
import { compact } from './peers/etcd-json.ts';
import type { Bench } from './row.ts';
import { type RoundResults, takeTurns } from './turns.ts';

/** Subscribers that are served, and who writes what they get. */
export interface Watched {
  readonly subscribers: Subscribers;
  /** Writes through etcd directly. */
  readonly writer: Writer;
  /** How many watches etcd has for the subscribers. */
  readonly etcdWatches: number;
}

/** A row of subscribers: what they watch, and how many there are. */
export interface WatchedRow {
  readonly name: string;
  readonly prefix: string;
  readonly shape: SubscriberShape;
}

/** The names that the results go by. */
export const CONCORD = 'Concord';
export const ETCD = 'etcd';

/**
 * Measures rounds of subscribers to one prefix, at Concord and at etcd itself. They are opened anew each time, and when they
 * have left, etcd must have no more watches than before. History is compacted after each round.
 */
export async function measureWatched<Result>(
  bench: Bench,
  { name: row, prefix, shape }: WatchedRow,
  measure: (watched: Watched, seconds: number) => Promise<Result>,
): Promise<RoundResults<Result>> {
  const { etcd, gateway } = bench.peers;
  const entries = spreadEntries(prefix);
  using writer = await openWriter(etcd.port, etcdPut(entries));
  const peers = [
    { name: CONCORD, port: gateway.port, call: concordWatch({ prefix, entries }) },
    { name: ETCD, port: etcd.port, call: etcdWatch({ prefix, entries }) },
  ];
  const turns = peers.map(({ name, port, call }) => ({
    name,
    async measure(seconds: number) {
      const { watchers: watchesBefore } = await etcdWatchMetrics(etcd.endpoint);
      let result: Result;
      {
        using subscribers = await openSubscribers(port, call, shape, bench);
        await Promise.all([subscribers.receive(1), writer.write(1)]);
        const { watchers } = await etcdWatchMetrics(etcd.endpoint);
        const etcdWatches = watchers - watchesBefore;
        if (etcdWatches < 1) throw new Error('etcd does not tell how many watches it has');
        result = await measure({ subscribers, writer, etcdWatches }, seconds);
      }
      await eventually(async () => {
        const { watchers } = await etcdWatchMetrics(etcd.endpoint);
        if (watchers > watchesBefore) throw new Error(`${watchers - watchesBefore} watches are left in etcd`);
      });
      return result;
    },
  }));
  return await takeTurns(bench, row, turns, { afterRound: () => compact(etcd.endpoint, bench) });
}
