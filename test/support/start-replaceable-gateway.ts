import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';
import { type RunningConcord, runConcord } from './run-concord.ts';
import type { TestEtcdCluster } from './start-etcd-cluster.ts';

/** A gateway in a process of its own, between proxies that stay when the process is another one. */
export interface ReplaceableGateway extends AsyncDisposable {
  /** What clients connect to. */
  readonly front: FaultProxy;
  /** What the gateway reaches the members through. */
  readonly back: readonly FaultProxy[];
  /** Ends the process (SIGKILL), and resolves when another one serves in its place. */
  replace(): Promise<void>;
}

/** Starts one. */
export async function startReplaceableGateway({ members }: TestEtcdCluster): Promise<ReplaceableGateway> {
  await using started = new AsyncDisposableStack();
  const back = await Promise.all(members.map(async ({ port }) => started.use(await startFaultProxy(port))));
  const endpoints = back.map(({ endpoint }) => endpoint).join();
  const start = () => runConcord({ env: { ETCD_ENDPOINTS: endpoints, CONCORD_LOG_LEVEL: 'error' } });
  const portOf = ({ url }: RunningConcord) => Number(new URL(url).port);
  let concord = await start();
  started.defer(() => concord[Symbol.asyncDispose]());
  const front = started.use(await startFaultProxy(portOf(concord)));
  const running = started.move();
  return {
    front,
    back,
    async replace() {
      concord.signal('SIGKILL');
      await concord[Symbol.asyncDispose]();
      concord = await start();
      front.retarget(portOf(concord));
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
