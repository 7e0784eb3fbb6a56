import { type Gateway, readEtcdVersion } from './gateway.ts';
import type { Settings } from './settings/definitions.ts';
import type { Logger } from './telemetry/logger.ts';

/** Starts a gateway in this process. Its code is loaded only now: a process that others serve for does without it. */
export async function startAlone(
  settings: Settings,
  log: Logger,
  options: { readonly signal: AbortSignal },
): Promise<Gateway> {
  const { createApp } = await import('./app.ts');
  const app = await createApp(settings, log, options);
  return {
    listeners: app.listeners,
    workers: 1,
    etcdVersion: await readEtcdVersion(app.etcd),
    etcdDataDir: app.embedded?.dataDir,
    failed: app.failed,
    [Symbol.asyncDispose]: app.drain,
  };
}
