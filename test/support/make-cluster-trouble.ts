import { setTimeout as delay } from 'node:timers/promises';
import type { TestEtcdCluster } from './start-etcd-cluster.ts';
import type { ReplaceableGateway } from './start-replaceable-gateway.ts';

/** How often something goes wrong, and for how long. */
export interface ClusterTroubleOptions {
  /** The time between two faults, in milliseconds. */
  readonly everyMs: number;
  /** How long a member that hangs is held, in milliseconds. @default 3000 */
  readonly pauseMs?: number;
  /** Told after each fault how many there were. */
  readonly harmed?: (count: number) => void;
  readonly signal: AbortSignal;
}

/** How many ways to do harm there are: after so many faults there was each of them once. */
export const FAULT_KINDS = 7;

const LOST_MS = 100;
const LATENCY_MS = 200;
const LATE_MS = 1_000;

/** Harms members, connections and gateways in turn, one at a time, until `signal` aborts. Returns how often it did. */
export async function makeClusterTrouble(
  cluster: TestEtcdCluster,
  gateways: readonly ReplaceableGateway[],
  { everyMs, pauseMs = 3_000, harmed, signal }: ClusterTroubleOptions,
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
      // What was done meanwhile, the gateway does not hear of.
      const { back } = pick(gateways, count);
      for (const proxy of back) proxy.stall(['toClient']);
      await delay(LOST_MS);
      for (const proxy of back) {
        proxy.cut();
        proxy.unstall();
      }
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
      await delay(pauseMs);
      member.resume();
    },
    async () => {
      const leader = await cluster.leader();
      leader.pause();
      await delay(pauseMs);
      leader.resume();
    },
  ];
  for (let count = 0; ; count++) {
    await delay(everyMs, undefined, { signal }).catch(() => {});
    if (signal.aborted) return count;
    await pick(faults, count)(count);
    harmed?.(count + 1);
  }
}
