import { type App, createApp } from '../app.ts';
import { readEtcdVersion } from '../gateway.ts';
import { logWarnings } from '../telemetry/log-warnings.ts';
import { createLogger } from '../telemetry/logger.ts';
import type { FromWorker, ToWorker } from './messages.ts';
import { createMetricsExchange } from './metrics-exchange.ts';

/** How long the primary may take to ask all others, in milliseconds: longer than it waits for one of them. */
const OTHERS_TIMEOUT_MS = 4_000;

type Start = Extract<ToWorker, { kind: 'start' }>;

/**
 * Serves as one worker until the primary says that it is to stop, and resolves with the exit code. One whose primary is gone ends at
 * once: node:cluster sees to that.
 */
export async function work(): Promise<number> {
  const start = Promise.withResolvers<Start>();
  const stop = new AbortController();
  const stopped = Promise.withResolvers<void>();
  let app: App | undefined;
  const metrics = createMetricsExchange({
    send: (message) => void tell(message),
    answer: async () => (app === undefined ? [] : [await app.metrics.snapshot()]),
    timeoutMs: OTHERS_TIMEOUT_MS,
  });

  process.on('message', (message: ToWorker) => {
    switch (message.kind) {
      case 'start':
        start.resolve(message);
        return;
      case 'stop':
        stop.abort(new Error('stopped by the primary'));
        stopped.resolve();
        return;
      case 'ask metrics':
      case 'metrics':
        metrics.take(message);
    }
  });

  const started = await Promise.race([start.promise, stopped.promise]);
  if (started === undefined) return 0;
  const { number, settings } = started;
  const log = createLogger(settings.logLevel, settings.logFormat ?? 'json', process.stderr, {
    worker: number,
  });
  logWarnings(log);
  try {
    app = await createApp(settings, log, { signal: stop.signal, otherMetrics: metrics.ask });
    await tell({
      kind: 'listening',
      listeners: app.listeners,
      etcdVersion: await readEtcdVersion(app.etcd),
    });
    await stopped.promise;
    await app.drain();
    return 0;
  } catch (error) {
    if (error === stop.signal.reason) return 0;
    log.error({ error }, 'failed');
    await tell({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
    return 1;
  }
}

/** Resolves when it is sent. What cannot be sent any more is lost: this process is about to end with its primary. */
function tell(message: FromWorker): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined) resolve();
    else process.send(message, undefined, undefined, () => resolve());
  });
}
