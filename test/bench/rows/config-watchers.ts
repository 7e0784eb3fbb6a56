import { randomUUID } from 'node:crypto';
import { concordWatchConfig } from '../calls/config-calls.ts';
import { PUBLISH_PATH, publishRequest, someItems } from '../calls/config-entries.ts';
import { openCaller } from '../load/caller.ts';
import { openSubscribers } from '../load/subscribers.ts';
import type { Bench, Finding, Row } from '../row.ts';
import { median, percentile } from '../statistics.ts';

const SHAPE = { connections: 10, onEach: 100 } as const;
const ITEMS = 10;
/** Those of one round, less the first, which creates the items. */
const PUBLISHES = 20;

/** How soon all who watch have what is published. */
export const configWatchers: Row = {
  name: 'config-watchers',
  describes: `time from a Publish of ${ITEMS} items until the last of 1,000 watchers has them, plain and effective, ${PUBLISHES} a round`,
  async measure(bench) {
    const kinds = [
      { name: 'plain', isEffective: false, rounds: [] as (readonly number[])[] },
      { name: 'effective', isEffective: true, rounds: [] as (readonly number[])[] },
    ];
    for (let round = 0; round <= bench.rounds; round += 1) {
      for (const { name, isEffective, rounds } of kinds) {
        const progress = round === 0 ? 'warm-up' : `round ${round} of ${bench.rounds}`;
        bench.progress(`config-watchers: ${progress}, ${name}`);
        const latenciesMs = await publishOneByOne(bench, isEffective);
        if (round > 0) rounds.push(latenciesMs);
      }
    }
    return kinds.flatMap(({ name, rounds }) => {
      const finding = (select: string, value: (latenciesMs: readonly number[]) => number): Finding => ({
        measure: `Publish to the last of 1,000 watchers, ${name}, ${select}`,
        unit: 'ms',
        concord: rounds.map(value),
        compares: 'itself',
      });
      return [finding('median', median), finding('99th percentile', (each) => percentile(each, 99))];
    });
  },
};

async function publishOneByOne(bench: Bench, isEffective: boolean): Promise<readonly number[]> {
  const { port } = bench.peers.gateway;
  const application = `bench-watchers-${randomUUID()}`;
  using watchers = await openSubscribers(port, concordWatchConfig(application, isEffective), SHAPE, bench);
  using caller = await openCaller(port, bench);
  const latenciesMs: number[] = [];
  for (let generation = 0; generation <= PUBLISHES; generation += 1) {
    const request = publishRequest(someItems(application, 'default', ITEMS, generation));
    const sentAtMs = performance.now();
    const [lastAtMs] = await Promise.all([watchers.receive(ITEMS), caller.call(PUBLISH_PATH, request)]);
    if (generation > 0) latenciesMs.push(lastAtMs - sentAtMs);
  }
  return latenciesMs;
}
