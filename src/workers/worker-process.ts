import cluster from 'node:cluster';
import type { Settings } from '../settings/definitions.ts';
import type { MetricsSnapshot } from '../telemetry/metrics.ts';
import { closeUndelivered } from './close-undelivered.ts';
import type { FromWorker, ToWorker } from './messages.ts';
import { createMetricsExchange } from './metrics-exchange.ts';

/** What a worker says when it serves. */
export type Listening = Extract<FromWorker, { kind: 'listening' }>;

/** A worker's process, as the primary sees it. */
export interface WorkerProcess {
  readonly pid: number | undefined;
  /** When it was forked, of `performance.now()`. */
  readonly startedMs: number;
  /** Rejects, with what it says is the reason, where it ends before. */
  readonly listening: Promise<Listening>;
  /** Never rejects. */
  readonly exited: Promise<WorkerExit>;
  isAlive(): boolean;
  /** Has it serve. */
  start(settings: Settings): void;
  /** Has it drain and end. */
  stop(): void;
  kill(): void;
  /** Its own; none where it does not answer within 2 s. */
  metrics(): Promise<readonly MetricsSnapshot[]>;
}

/** How a worker ended. */
export interface WorkerExit {
  /** Null: a signal ended it. */
  readonly code: number | null;
  /** The reason that it gave, or how it ended, in words. */
  readonly reason: string;
}

const METRICS_TIMEOUT_MS = 2_000;

/**
 * Forks a worker. It loads its code, and serves once it is told to start.
 *
 * @param otherMetrics those of the other workers, which it asks for.
 */
export function forkWorker(
  number: number,
  otherMetrics: () => Promise<readonly MetricsSnapshot[]>,
): WorkerProcess {
  const worker = cluster.fork();
  closeUndelivered(worker);
  // To one that is ending nothing can be sent, and nothing needs to be.
  const send = (message: ToWorker) => void worker.send(message, () => {});
  const metrics = createMetricsExchange({ send, answer: otherMetrics, timeoutMs: METRICS_TIMEOUT_MS });
  const listening = Promise.withResolvers<Listening>();
  const exited = Promise.withResolvers<WorkerExit>();
  let isAlive = true;
  let lastWords: string | undefined;

  worker.on('message', (message: FromWorker) => {
    switch (message.kind) {
      case 'listening':
        listening.resolve(message);
        return;
      case 'failed':
        lastWords = message.message;
        return;
      case 'ask metrics':
      case 'metrics':
        metrics.take(message);
    }
  });
  // Else something could not be sent to one that is ending.
  worker.on('error', (error: Error) => {
    if (worker.process.pid === undefined) end(null, `it could not be forked: ${error.message}`);
  });
  worker.on('exit', (code: number | null, signal: string | null) =>
    end(code, lastWords ?? (signal === null ? `it ended with code ${code}` : `it was ended by ${signal}`)),
  );

  function end(code: number | null, reason: string): void {
    isAlive = false;
    exited.resolve({ code, reason });
    listening.reject(new Error(reason));
  }
  // Who waits for its end alone does not look at it.
  listening.promise.catch(() => {});

  return {
    pid: worker.process.pid,
    startedMs: performance.now(),
    listening: listening.promise,
    exited: exited.promise,
    isAlive: () => isAlive,
    start: (settings) => send({ kind: 'start', number, settings }),
    stop: () => send({ kind: 'stop' }),
    kill: () => void worker.process.kill('SIGKILL'),
    metrics: metrics.ask,
  };
}
