import { setTimeout as delay } from 'node:timers/promises';
import type { FaultProxy } from '../support/fault-proxy.ts';

const MAX_REFUSAL_MS = 1_000;
const MAX_STALL_MS = 500;
const MAX_BYTES = 200_000;

/** Breaks the connections of a proxy in one way or another, at random moments, until `signal` aborts. Returns how often it did. */
export async function makeTrouble(proxy: FaultProxy, meanMs: number, signal: AbortSignal): Promise<number> {
  const wait = (ms: number) => delay(ms, undefined, { signal });
  let isCutPlanned = false;
  const faults = [
    async () => proxy.cut(),
    async () => {
      proxy.cut();
      await wait(Math.random() * 100);
      proxy.cut();
    },
    async () => {
      if (isCutPlanned) return;
      isCutPlanned = true;
      void proxy.cutAfter('toClient', Math.random() * MAX_BYTES).then(() => {
        isCutPlanned = false;
      });
    },
    async () => {
      proxy.refuse();
      proxy.cut();
      await wait(Math.random() * MAX_REFUSAL_MS);
      proxy.accept();
    },
    async () => {
      proxy.stall(['toClient', 'toServer']);
      await wait(Math.random() * MAX_STALL_MS);
      proxy.cut();
      proxy.unstall();
    },
  ];
  let count = 0;
  try {
    for (;;) {
      await wait(-Math.log(1 - Math.random()) * meanMs);
      count += 1;
      await faults[Math.floor(Math.random() * faults.length)]?.();
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  proxy.accept();
  proxy.unstall();
  return count;
}
