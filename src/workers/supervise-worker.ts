import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../telemetry/logger.ts';
import type { WorkerProcess } from './worker-process.ts';

/** What the supervisor of one worker needs. */
export interface SuperviseWorkerOptions {
  readonly number: number;
  readonly first: WorkerProcess;
  /** Forks another, and has it serve. */
  readonly startAgain: () => WorkerProcess;
  readonly log: Logger;
  /** @default the system's */
  readonly wait?: (ms: number, options: { readonly signal: AbortSignal }) => Promise<void>;
}

const FIRST_BACKOFF_MS = 100;
/** A worker that has lived so long has earned a quick restart, and what was before it is forgotten. */
const STEADY_AFTER_MS = 10_000;
const MAX_DEATHS = 5;

/**
 * Puts another worker in the place of one that ends unasked, until `signal` aborts; then it resolves.
 *
 * States: running → (ended unasked) waiting → running. The wait is 100 ms, doubled for each that died before, and is short again
 * after a worker that lived 10 s. Rejects when five in a row did not live so long.
 */
export async function superviseWorker(
  {
    number,
    first,
    startAgain,
    log,
    wait = (ms, options) => delay(ms, undefined, options),
  }: SuperviseWorkerOptions,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  let worker = first;
  let deaths = 0;
  for (;;) {
    const { reason } = await worker.exited;
    if (signal.aborted) return;
    deaths = performance.now() - worker.startedMs >= STEADY_AFTER_MS ? 1 : deaths + 1;
    if (deaths === MAX_DEATHS)
      throw new Error(`gave up on worker ${number} after ${MAX_DEATHS} deaths in a row; the last: ${reason}`);
    const nextStartMs = FIRST_BACKOFF_MS * 2 ** (deaths - 1);
    log.warn(
      { worker: number, pid: worker.pid, cause: reason, nextStartMs },
      'a worker died; another takes its place',
    );
    // Ended early, it was stopped.
    await wait(nextStartMs, { signal }).catch(() => {});
    if (signal.aborted) return;
    worker = startAgain();
  }
}
