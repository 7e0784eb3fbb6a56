import { concordPublish } from '../calls/config-calls.ts';
import { publishAll, rawPrefix, someApplications } from '../calls/config-entries.ts';
import { etcdTxn } from '../calls/etcd-calls.ts';
import type { LoadResult, LoadShape } from '../load/load.ts';
import { LONE_SHAPE } from '../load/shapes.ts';
import { compact } from '../peers/etcd-json.ts';
import { driverOf, measureRounds, rates } from '../rounds.ts';
import type { Finding, Row } from '../row.ts';

const ITEMS = 100;
/** Far more than are published at once, so that no two at once are of the same. */
const APPLICATIONS = 40;
const BUSY_SHAPE: LoadShape = { connections: 4, inFlight: 2 };

/** Publish of 100 items. */
export const configPublish: Row = {
  name: 'config-publish',
  describes: `Publish of ${ITEMS} items over gRPC, one after the other and 8 at once, against etcd's own transaction of as many Puts`,
  async measure(bench) {
    const { etcd, gateway } = bench.peers;
    // Each of two generations in turn changes every item; a third, between rounds, has the first change something again.
    const generationOf = (generation: number) =>
      someApplications('bench-config-publish', APPLICATIONS, ITEMS, generation);
    const layers = [0, 1].flatMap(generationOf);
    const between = generationOf(2);
    const batches = layers.map(({ application, items }) =>
      items.map(({ key, value }) => ({ key: `/bench${rawPrefix(application)}${key}`, value })),
    );
    const measure = (name: string, shape: LoadShape) =>
      measureRounds(
        bench,
        `config-publish, ${name}`,
        [
          { name: 'Concord', port: gateway.port, call: concordPublish(layers), shape },
          { name: 'etcd', port: etcd.port, call: etcdTxn(batches), shape },
        ],
        {
          async afterRound() {
            await publishAll(bench, between);
            await compact(etcd.endpoint, bench);
          },
        },
      );
    const finding = (
      rest: Pick<Finding, 'measure' | 'unit'>,
      results: Awaited<ReturnType<typeof measure>>,
      select: (results: readonly LoadResult[]) => readonly number[],
    ): Finding => ({
      ...rest,
      concord: select(results('Concord')),
      peer: { name: 'etcd itself', values: select(results('etcd')) },
      compares: 'ratio',
      ...driverOf(results('Concord')),
    });
    const lone = await measure('one at a time', LONE_SHAPE);
    const busy = await measure('8 at once', BUSY_SHAPE);
    return [
      finding({ measure: `latency of a lone Publish of ${ITEMS} items`, unit: 'ms' }, lone, (results) =>
        results.map(({ medianMs }) => medianMs),
      ),
      finding({ measure: `Publish of ${ITEMS} items, 8 in flight`, unit: 'per second' }, busy, rates),
    ];
  },
};
