// Many clients that read and write the same few keys through several gateways, while members of the cluster, connections and gateways
// go wrong: what they were told must be what a store could say that does one thing after the other.

import { checkHistory } from '../../support/linearizability/check-history.ts';
import { History } from '../../support/linearizability/history.ts';
import { makeClusterTrouble } from '../../support/make-cluster-trouble.ts';
import { startEtcdCluster } from '../../support/start-etcd-cluster.ts';
import { startReplaceableGateway } from '../../support/start-replaceable-gateway.ts';
import { runRegisterClients } from './run-register-clients.ts';

/** What is run. */
export interface RegistersOptions {
  /** How many operations are to have a known outcome, and how many faults there are to be, at least. */
  readonly operations: number;
  readonly faults: number;
  /** The time between two faults, and the time for which a member hangs, in milliseconds. */
  readonly faultEveryMs: number;
  readonly pauseMs: number;
  /** The etcd binary. @default the one that tests use */
  readonly etcdBinary?: string | undefined;
  /** Gives it up: clients end their calls. */
  readonly signal?: AbortSignal;
}

/** How it went. */
export interface RegistersOutcome {
  /** What could not have been, in words; empty: nothing. */
  readonly violations: readonly string[];
  readonly acknowledged: number;
  /** Writes whose outcome nobody was told. */
  readonly unknown: number;
  /** How often something was harmed. */
  readonly harms: number;
  readonly seconds: number;
}

const GATEWAYS = 2;

/** Runs it. */
export async function runRegistersUnderFaults(options: RegistersOptions): Promise<RegistersOutcome> {
  const { operations, faults, faultEveryMs: everyMs, pauseMs, etcdBinary: binary } = options;
  await using started = new AsyncDisposableStack();
  const cluster = started.use(await startEtcdCluster(3, { binary }));
  const gateways = await Promise.all(
    Array.from({ length: GATEWAYS }, async () => started.use(await startReplaceableGateway(cluster))),
  );
  const startedMs = performance.now();
  const history = new History();
  const over = new AbortController();
  const signal = AbortSignal.any([over.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  let harmed = 0;
  const trouble = makeClusterTrouble(cluster, gateways, {
    everyMs,
    pauseMs,
    harmed(count) {
      harmed = count;
    },
    signal,
  });
  // Without trouble there is no use in going on; it is awaited below.
  trouble.catch(() => over.abort());
  try {
    await runRegisterClients({
      gateways: gateways.map(({ front }) => front.endpoint),
      history,
      goesOn: () => !signal.aborted && (history.acknowledged < operations || harmed < faults),
    });
  } finally {
    over.abort();
  }
  const harms = await trouble;
  return {
    violations: checkHistory(history.operations),
    acknowledged: history.acknowledged,
    unknown: history.operations.length - history.acknowledged,
    harms,
    seconds: (performance.now() - startedMs) / 1_000,
  };
}
