import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 25;

/** Runs `attempt` until it does not throw; throws its last error after `timeoutMs`. @param timeoutMs default 30,000 */
export async function eventually<T>(attempt: () => T | Promise<T>, timeoutMs = 30_000): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() >= deadline) throw error;
    }
    await delay(POLL_MS);
  }
}
