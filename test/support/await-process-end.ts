import { setTimeout as delay } from 'node:timers/promises';
import { identifyProcess } from '../../src/embedded/process-identity.ts';

const POLL_MS = 20;

/** Resolves when no such process lives any more; rejects after 30 s. One that waits for its parent counts as ended. */
export async function awaitProcessEnd(pid: number): Promise<void> {
  const signal = AbortSignal.timeout(30_000);
  while ((await identifyProcess(pid, { signal })) !== undefined) {
    await delay(POLL_MS);
    signal.throwIfAborted();
  }
}
