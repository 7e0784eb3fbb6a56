import { setTimeout as delay } from 'node:timers/promises';
import type { DiscoveryClient } from './instance-watch.ts';

/** Instances that heartbeat. */
export interface HeartbeatingService extends AsyncDisposable {
  readonly service: string;
  readonly instanceIds: readonly string[];
  readonly leaseIds: readonly bigint[];
  /** From now on only these do. */
  keep(instanceIds: readonly string[]): void;
}

const BEATS_IN_TTL = 4;

/** Registers instances `0`, `1`, … and keeps them; a heartbeat that fails is made again, and one of an instance that is gone is its last. */
export async function startHeartbeatingService(
  discovery: DiscoveryClient,
  service: string,
  { count, ttlSeconds }: { readonly count: number; readonly ttlSeconds: number },
): Promise<HeartbeatingService> {
  const stop = new AbortController();
  const instanceIds = Array.from({ length: count }, (_, i) => String(i));
  const beating = new Set(instanceIds);
  const registered = await Promise.all(
    instanceIds.map((instanceId) =>
      discovery.register({
        instance: { service, instanceId, host: 'h', port: 80 },
        ttl: { seconds: BigInt(ttlSeconds) },
      }),
    ),
  );

  async function beat(instanceId: string): Promise<void> {
    const everyMs = (ttlSeconds * 1_000) / BEATS_IN_TTL;
    while (!stop.signal.aborted && beating.has(instanceId)) {
      const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(everyMs)]);
      await discovery.heartbeat({ service, instanceId }, { signal }).catch(() => {});
      await delay(everyMs, undefined, { signal: stop.signal }).catch(() => {});
    }
  }

  const beats = Promise.all(instanceIds.map(beat));
  return {
    service,
    instanceIds,
    leaseIds: registered.map(({ leaseId }) => leaseId),
    keep(ids) {
      for (const id of instanceIds) if (!ids.includes(id)) beating.delete(id);
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await beats;
    },
  };
}
