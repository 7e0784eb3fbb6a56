import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 100;
/** How long it must stay the same, and what counts as the same. */
const SETTLED_MS = 1_000;
const SETTLED_SHARE = 0.003;
const SETTLE_TIMEOUT_MS = 30_000;

/**
 * Waits until the resident memory of a process has settled, as it does when the garbage of what it did last is collected.
 *
 * @returns bytes
 * @throws Error where the system has no `/proc`, the process is gone, or its memory does not settle; `signal.reason` on abort
 */
export async function settledMemoryBytes(
  pid: number,
  { signal }: { readonly signal: AbortSignal },
): Promise<number> {
  const deadlineMs = performance.now() + SETTLE_TIMEOUT_MS;
  const latest: number[] = [];
  for (;;) {
    latest.push(await residentBytes(pid));
    if (latest.length > SETTLED_MS / POLL_MS) {
      const least = Math.min(...latest);
      if (Math.max(...latest) <= least * (1 + SETTLED_SHARE)) return least;
      latest.shift();
    }
    if (performance.now() > deadlineMs) throw new Error(`the memory of process ${pid} does not settle`);
    await delay(POLL_MS, undefined, { signal });
  }
}

/** The resident memory of a process as it is now. */
export async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch((cause: unknown) => {
    throw new Error('the memory of a process is read from /proc, as Linux has it', { cause });
  });
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(status) ?? [];
  if (kib === undefined) throw new Error(`process ${pid} has ended`);
  return Number(kib) * 1_024;
}
