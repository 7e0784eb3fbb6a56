import { setTimeout as delay } from 'node:timers/promises';
import { type FaultProxy, startFaultProxy } from '../../support/fault-proxy.ts';
import { type RunningConcord, runConcord } from '../../support/run-concord.ts';
import type { TestEtcdCluster } from '../../support/start-etcd-cluster.ts';

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

const PAUSE_MS = 3_000;
const LATENCY_MS = 200;
const LATE_MS = 1_000;

/** Harms members, connections and gateways in turn, one at a time, until `signal` aborts. Returns how often it did. */
export async function makeLockTrouble(
  cluster: TestEtcdCluster,
  gateways: readonly ReplaceableGateway[],
  { everyMs, signal }: { readonly everyMs: number; readonly signal: AbortSignal },
): Promise<number> {
  const pick = <T>(things: readonly T[], count: number): T => {
    const thing = things[count % things.length];
    if (thing === undefined) throw new Error('there is nothing to harm');
    return thing;
  };
  const faults = [
    async (count: number) => pick(gateways, count).front.cut(),
    async () => {
      const leader = await cluster.leader();
      await leader.kill();
      await leader.restart();
    },
    async (count: number) => {
      for (const proxy of pick(gateways, count).back) proxy.cut();
    },
    async (count: number) => pick(gateways, count).replace(),
    async (count: number) => {
      const { front, back } = pick(gateways, count);
      for (const proxy of [front, ...back]) proxy.delay(LATENCY_MS);
      await delay(LATE_MS);
      for (const proxy of [front, ...back]) proxy.delay(0);
    },
    async (count: number) => {
      const member = pick(cluster.members, count);
      member.pause();
      await delay(PAUSE_MS);
      member.resume();
    },
    async () => {
      const leader = await cluster.leader();
      leader.pause();
      await delay(PAUSE_MS);
      leader.resume();
    },
  ];
  for (let count = 0; ; count++) {
    await delay(everyMs, undefined, { signal }).catch(() => {});
    if (signal.aborted) return count;
    await pick(faults, count)(count);
  }
}
