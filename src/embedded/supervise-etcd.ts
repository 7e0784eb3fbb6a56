import { setTimeout as delay } from 'node:timers/promises';
import type { EmbeddedLog } from './embedded-log.ts';
import { type EtcdProcess, terminateEtcd } from './etcd-process.ts';
import { describeExit, EtcdStartError, type LaunchOptions, launchEtcd } from './launch-etcd.ts';

/** What a supervisor watches over. */
export interface SuperviseOptions {
  /** The healthy etcd to begin with. */
  readonly first: EtcdProcess;
  /** How it is started again: the same ports and data. */
  readonly launch: LaunchOptions;
  readonly log: EmbeddedLog;
  /** Called once, when no etcd runs any more: stopped or given up. */
  readonly onEnd: () => Promise<void>;
}

/** An etcd that is started again when it ends unasked. */
export interface SupervisedEtcd {
  /** The last process started. */
  pid(): number;
  /** Resolves when stopped; rejects with an {@link EtcdCrashLoopError} when given up. */
  readonly exited: Promise<void>;
  /** Idempotent. */
  readonly stop: () => Promise<void>;
}

/** etcd was started several times in a row without ever becoming healthy, and is left alone now. */
export class EtcdCrashLoopError extends Error {
  constructor(cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super(
      `gave up on etcd after ${MAX_FAILURES} starts within ${FAILURE_WINDOW_MS / 1000} s; the last: ${why}`,
      {
        cause,
      },
    );
    this.name = 'EtcdCrashLoopError';
  }
}

const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 5_000;
/** A process that has lived this long has earned a quick restart. */
const STEADY_AFTER_MS = 10_000;
const MAX_FAILURES = 5;
const FAILURE_WINDOW_MS = 60_000;

/**
 * Watches over a running etcd.
 *
 * States: running → (ended unasked) waiting → starting → running, or starting → waiting on a failed start. The wait
 * doubles from 100 ms to 5 s and is short again after 10 s of running. Five failed starts within 60 s end it. `stop`
 * ends it from every state.
 */
export function superviseEtcd(options: SuperviseOptions): SupervisedEtcd {
  const { launch, log, onEnd } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  let current = options.first;
  let pid = current.pid;
  let backoffMs = FIRST_BACKOFF_MS;

  const restart: LaunchOptions = {
    ...launch,
    async onSpawn(spawned) {
      pid = spawned;
      await launch.onSpawn?.(spawned);
    },
  };

  const startAgain = async (): Promise<EtcdProcess> => {
    const failures: number[] = [];
    for (;;) {
      await delay(backoffMs, undefined, { signal });
      backoffMs = Math.min(backoffMs * 2, MAX_BACKOFF_MS);
      try {
        return await launchEtcd(restart, { signal });
      } catch (error) {
        if (signal.aborted || !(error instanceof EtcdStartError)) throw error;
        failures.push(Date.now());
        if (
          failures.length >= MAX_FAILURES &&
          Date.now() - (failures.at(-MAX_FAILURES) ?? 0) <= FAILURE_WINDOW_MS
        ) {
          throw new EtcdCrashLoopError(error);
        }
        log.warn({ error, nextStartMs: backoffMs }, 'etcd did not start; trying again');
      }
    }
  };

  const watch = async (): Promise<void> => {
    for (;;) {
      const since = performance.now();
      const exit = await current.exited;
      if (signal.aborted) return;
      if (performance.now() - since >= STEADY_AFTER_MS) backoffMs = FIRST_BACKOFF_MS;
      log.warn(
        { pid: current.pid, ...exit, lines: current.lastLines(), nextStartMs: backoffMs },
        `etcd ended unasked (${describeExit(exit)}); starting it again`,
      );
      current = await startAgain();
      log.info({ pid: current.pid }, 'etcd serves again');
    }
  };

  const exited = watch()
    .catch((error: unknown) => {
      if (signal.aborted) return;
      log.error({ error }, 'etcd is not started any more');
      throw error;
    })
    .finally(onEnd);
  // Who does not look at `exited` reads of it in the log; it must not end the process as an unhandled rejection.
  exited.catch(() => {});

  return {
    pid: () => pid,
    exited,
    async stop() {
      stopping.abort();
      await terminateEtcd(current);
      // A crash loop that ended before has been reported by `exited`.
      await exited.catch(() => {});
    },
  };
}
