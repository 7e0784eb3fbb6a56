// A gateway of several processes: the primary, which runs what there must be one of, and workers, which serve on the same ports.
// Each worker is a gateway of its own, with its own watches, caches and limits; they share nothing but etcd, as replicas do.

import cluster from 'node:cluster';
import { fileURLToPath } from 'node:url';
import type { EmbeddedEtcd } from '../embedded/start-embedded-etcd.ts';
import type { Gateway } from '../gateway.ts';
import { runEtcd } from '../run-etcd.ts';
import type { Settings } from '../settings/definitions.ts';
import type { Logger } from '../telemetry/logger.ts';
import { forkWorkers } from './worker-group.ts';

/**
 * Starts `settings.workers` workers, and an etcd where the settings name none. Resolves when all workers listen; rejects with the reason
 * of one that cannot. A worker that dies later is replaced; `failed` tells when that is given up.
 */
export async function startWorkers(
  settings: Settings,
  log: Logger,
  { signal }: { readonly signal: AbortSignal },
): Promise<Gateway> {
  // The primary accepts, and hands each connection to a worker that is not busy with one, in turn. That costs it 70 µs a connection, and
  // nothing a call. Where the workers accept themselves, one that the system wakes first may get all of sixteen connections, and
  // keeps them, since those of HTTP/2 live long.
  cluster.schedulingPolicy = cluster.SCHED_RR;
  cluster.setupPrimary({
    exec: fileURLToPath(new URL('./worker.js', import.meta.url)),
    args: [],
    serialization: 'advanced',
  });

  await using started = new AsyncDisposableStack();
  let etcd: EmbeddedEtcd | undefined;
  started.defer(() => etcd?.stop());
  // They load their code while etcd starts.
  const workers = started.use(forkWorkers(settings, log));
  if (settings.etcdEndpoints === undefined) etcd = await runEtcd(settings, log, { signal });
  const etcdEndpoints = settings.etcdEndpoints ?? (etcd === undefined ? [] : [etcd.endpoint]);
  const { listeners, etcdVersion } = await workers.start({ ...settings, etcdEndpoints }, { signal });

  const running = started.move();
  return {
    listeners,
    workers: settings.workers,
    etcdVersion,
    etcdDataDir: etcd?.dataDir,
    failed: etcd === undefined ? workers.failed : Promise.race([etcd.exited, workers.failed]),
    async [Symbol.asyncDispose]() {
      await using _ = running;
      const cut = (await workers.stop()).find(({ code }) => code !== 0);
      if (cut !== undefined) throw new Error(`a worker ended before it had drained: ${cut.reason}`);
    },
  };
}
