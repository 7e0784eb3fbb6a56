// The etcd of a gateway that is given none: a part of the composition root.

import { join } from 'node:path';
import type { EmbeddedEtcd } from './embedded/start-embedded-etcd.ts';
import type { Settings } from './settings/definitions.ts';
import type { Logger } from './telemetry/logger.ts';

/** Finds or fetches an etcd, runs it as the settings say, and waits until it serves. */
export async function runEtcd(
  settings: Settings,
  log: Logger,
  { signal }: { readonly signal: AbortSignal },
): Promise<EmbeddedEtcd> {
  // Most gateways use an etcd that others run.
  const [{ findEtcd }, { startEmbeddedEtcd }] = await Promise.all([
    import('./embedded/find-etcd.ts'),
    import('./embedded/start-embedded-etcd.ts'),
  ]);
  const found = await findEtcd(
    {
      binary: settings.etcdBinary,
      cacheDir: join(settings.dataDir, 'cache'),
      log,
      ...(settings.etcdFetch ? {} : { release: false, distributionPackage: false }),
    },
    { signal },
  );
  return startEmbeddedEtcd(
    {
      binary: found.path,
      version: found.version,
      dataDir: settings.dataDir,
      autoCompactionRetention: `${Math.ceil(settings.etcdRetentionMs / 1_000)}s`,
      log,
    },
    { signal },
  );
}
