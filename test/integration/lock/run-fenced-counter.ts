// Many clients that raise a few counters, each under a lock, while members of the cluster, connections and gateways go wrong.

import { randomUUID } from 'node:crypto';
import { makeClusterTrouble } from '../../support/make-cluster-trouble.ts';
import { openClients } from '../../support/open-clients.ts';
import { startEtcdCluster } from '../../support/start-etcd-cluster.ts';
import { startReplaceableGateway } from '../../support/start-replaceable-gateway.ts';
import { type CountedWrite, runCountingClient } from './counting-client.ts';
import { type LockHistory, readLockHistory } from './lock-history.ts';

/** What is run. */
export interface FencedCounterOptions {
  /** How many writes are to be acknowledged, all locks together. */
  readonly acquisitions: number;
  /** @default 50 */
  readonly clients?: number;
  /** @default 5 */
  readonly locks?: number;
  /** @default 2 */
  readonly gateways?: number;
  /** The time between two faults, in milliseconds; 0: none. @default 1500 */
  readonly faultEveryMs?: number;
  /** The etcd binary. @default the one that tests use */
  readonly etcdBinary?: string | undefined;
  /** Gives it up: clients end their rounds. */
  readonly signal?: AbortSignal;
}

/** How it went. */
export interface FencedCounterOutcome {
  /** What was found wrong, in words; empty: nothing. */
  readonly faults: readonly string[];
  readonly acquisitions: number;
  readonly acknowledged: number;
  /** Writes whose outcome nobody was told. */
  readonly unknown: number;
  /** Writes that were kept out by their fence. */
  readonly fencedOff: number;
  /** How often something was harmed. */
  readonly harms: number;
  readonly seconds: number;
}

/** Runs it. */
export async function runFencedCounter(options: FencedCounterOptions): Promise<FencedCounterOutcome> {
  const { acquisitions, clients = 50, locks = 5, gateways = 2, faultEveryMs = 1_500 } = options;
  await using started = new AsyncDisposableStack();
  const cluster = started.use(await startEtcdCluster(3, { binary: options.etcdBinary }));
  const replicas = await Promise.all(
    Array.from({ length: gateways }, async () => started.use(await startReplaceableGateway(cluster))),
  );
  const names = Array.from({ length: locks }, () => randomUUID());
  const writes: CountedWrite[] = [];
  let acknowledged = 0;

  const startedMs = performance.now();
  const over = new AbortController();
  const signal = AbortSignal.any([over.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  const trouble =
    faultEveryMs === 0
      ? Promise.resolve(0)
      : makeClusterTrouble(cluster, replicas, { everyMs: faultEveryMs, signal });
  // Without trouble there is no use in going on; it is awaited below.
  trouble.catch(() => over.abort());
  try {
    await Promise.all(
      Array.from({ length: clients }, (_, i) =>
        runCountingClient({
          name: names[i % locks] ?? '',
          // Neighbours begin at different gateways.
          gateways: replicas.map((__, j) => openClients(at(replicas, i + j).front.endpoint)),
          goesOn: () => acknowledged < acquisitions && !signal.aborted,
          wrote(write) {
            writes.push(write);
            if (write.outcome === 'acknowledged') acknowledged += 1;
          },
        }),
      ),
    );
  } finally {
    over.abort();
  }
  const harms = await trouble;
  const seconds = (performance.now() - startedMs) / 1_000;
  const history = await readLockHistory(cluster.endpoints);
  return {
    faults: [...history.faults, ...names.flatMap((name) => judge(name, writes, history))],
    acquisitions: [...history.acquisitions.values()].reduce((sum, count) => sum + count, 0),
    acknowledged,
    unknown: writes.filter(({ outcome }) => outcome === 'unknown').length,
    fencedOff: writes.filter(({ outcome }) => outcome === 'lost').length,
    harms,
    seconds,
  };
}

/** Holds what clients were told of one lock against its counter. */
function judge(name: string, writes: readonly CountedWrite[], { counters }: LockHistory): readonly string[] {
  const own = writes.filter((write) => write.name === name);
  const known = own.filter(({ outcome }) => outcome === 'acknowledged');
  const unknown = own.filter(({ outcome }) => outcome === 'unknown').length;
  const counter = counters.get(name) ?? 0;
  const faults: string[] = [];
  if (counter < known.length || counter > known.length + unknown) {
    faults.push(`lock ${name}: ${counter} counted, ${known.length} acknowledged, ${unknown} unknown`);
  }
  const byToken = known.toSorted((a, b) => (a.token < b.token ? -1 : 1));
  for (const [i, write] of byToken.entries()) {
    const before = byToken[i - 1];
    if (before === undefined || (write.token > before.token && write.value > before.value)) continue;
    faults.push(`lock ${name}: token ${write.token} wrote ${write.value}, ${before.token} ${before.value}`);
  }
  return faults;
}

function at<T>(things: readonly T[], index: number): T {
  const thing = things[index % things.length];
  if (thing === undefined) throw new Error('there are none');
  return thing;
}
