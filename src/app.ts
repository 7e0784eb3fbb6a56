// The composition root: the only file that knows every layer.

import type { ConnectRouter } from '@connectrpc/connect';
import { ConfigService } from '../gen/concord/config/v1/config_service_pb.ts';
import { DiscoveryService } from '../gen/concord/discovery/v1/discovery_service_pb.ts';
import { ElectionService } from '../gen/concord/election/v1/election_service_pb.ts';
import { file_concord_error_v1_error_reason } from '../gen/concord/error/v1/error_reason_pb.ts';
import { KvService } from '../gen/concord/kv/v1/kv_service_pb.ts';
import { LeaseService } from '../gen/concord/lease/v1/lease_service_pb.ts';
import { LockService } from '../gen/concord/lock/v1/lock_service_pb.ts';
import { file_google_rpc_error_details } from '../gen/google/rpc/error_details_pb.ts';
import { Health } from '../gen/grpc/health/v1/health_pb.ts';
import { type CoordinationStats, startCoordination } from './coordination.ts';
import { createDocumentsOnDemand } from './documents/on-demand.ts';
import { createKvService } from './domain/kv/kv-service.ts';
import { createBatchedWatch, oneByOne } from './domain/watch/watch.ts';
import { WatchHub, type WatchHubStats } from './domain/watch/watch-hub.ts';
import type { EmbeddedEtcd } from './embedded/start-embedded-etcd.ts';
import { type Etcd, openEtcd } from './etcd/open-etcd.ts';
import { createPlainHttp } from './plain-http.ts';
import { createProber } from './probes/create-prober.ts';
import { createCallObserver } from './rpc/checks/call-observer.ts';
import { createValidateOnDemand } from './rpc/checks/validate-on-demand.ts';
import { createConfigHandlers } from './rpc/config/config-handlers.ts';
import { createConfigWatchHandler } from './rpc/config/config-watch-handler.ts';
import { createReveal } from './rpc/config/reveal.ts';
import { createDiscoveryHandlers } from './rpc/discovery/discovery-handlers.ts';
import { createElectionHandlers } from './rpc/election/election-handlers.ts';
import { createHealthHandlers } from './rpc/health/health-handlers.ts';
import { startReadiness } from './rpc/health/readiness.ts';
import { createKvHandlers } from './rpc/kv/kv-handlers.ts';
import { createWatchHandler } from './rpc/kv/watch-handler.ts';
import { createLeaseHandlers } from './rpc/lease/lease-handlers.ts';
import { createLockHandlers } from './rpc/lock/lock-handlers.ts';
import { registerReflection } from './rpc/reflection/reflection.ts';
import { runEtcd } from './run-etcd.ts';
import { createCipher } from './secrets/create-cipher.ts';
import { createSecretReaders } from './secrets/secret-readers.ts';
import type { Settings } from './settings/definitions.ts';
import { systemClock } from './system-clock.ts';
import type { Logger } from './telemetry/logger.ts';
import { createMetrics, type Metrics, type OtherMetrics } from './telemetry/metrics.ts';
import { type Listener, type ServerStats, startServer } from './transport/start-server.ts';

/** When what the first calls need, and a ready gateway does without, is loaded where none has come, in milliseconds. */
const LOAD_AHEAD_MS = 250;

/** A running gateway. Disposing drains it: calls in flight finish, and an etcd that it ran is stopped. */
export interface App extends AsyncDisposable {
  readonly listeners: readonly Listener[];
  /** The etcd that this process runs; undefined where it uses one that others run. */
  readonly embedded: EmbeddedEtcd | undefined;
  readonly etcd: Etcd;
  readonly metrics: Metrics;
  /** What it holds at the moment. */
  stats(): { readonly server: ServerStats; readonly watch: WatchHubStats } & CoordinationStats;
  /** Rejects when the gateway cannot go on: the etcd that it ran keeps crashing. Never resolves before it is drained. */
  readonly failed: Promise<void>;
  drain(): Promise<void>;
}

/** How a gateway is started. */
export interface AppOptions {
  /** Gives up the start. */
  readonly signal: AbortSignal;
  /** What `/metrics` adds to its own. @default nothing */
  readonly otherMetrics?: OtherMetrics | undefined;
}

/** Starts a gateway. It serves at once, also while etcd does not answer: it is then not ready. */
export async function createApp(
  settings: Settings,
  log: Logger,
  { signal, otherMetrics }: AppOptions,
): Promise<App> {
  await using started = new AsyncDisposableStack();

  const embedded =
    settings.etcdEndpoints === undefined ? started.use(await runEtcd(settings, log, { signal })) : undefined;
  const etcd = started.use(
    openEtcd({
      endpoints: settings.etcdEndpoints ?? (embedded === undefined ? [] : [embedded.endpoint]),
      ...etcdIdentity(settings),
      times: { callTimeoutMs: settings.etcdTimeoutMs },
    }),
  );
  const readiness = started.use(
    startReadiness(etcd.store, (isReady, cause) => {
      if (isReady) log.info({}, 'ready');
      else log.warn({ cause }, 'not ready');
    }),
  );
  const metrics = createMetrics(otherMetrics);
  const kv = createKvService(etcd.store, etcd.leases);
  const hub = started.use(
    new WatchHub(
      { source: etcd.watches, store: etcd.store, leases: etcd.leases, clock: systemClock },
      { historyBytes: settings.watchHistoryBytes },
    ),
  );
  const batchedWatch = createBatchedWatch(hub, etcd.store);
  const watch = oneByOne(batchedWatch);
  const coordination = started.use(
    startCoordination({
      store: etcd.store,
      leases: etcd.leases,
      source: etcd.watches,
      watch,
      clock: systemClock,
      prober: createProber(settings.probeNetworks ?? []),
      servicesPrefix: settings.servicesPrefix,
      configPrefix: settings.configPrefix,
      history: { maxCount: settings.configHistoryCount, maxAgeMs: settings.configHistoryAgeMs },
      documents: createDocumentsOnDemand(),
      cipher: createCipher(settings.secretKeys ?? []),
    }),
  );
  const { leases, locks, elections, sessions, discovery, discoveryKeys, config, configKeys } = coordination;
  const services = [KvService, LeaseService, LockService, ElectionService, DiscoveryService, ConfigService];
  const mayReadSecrets = createSecretReaders(settings.secretTokens ?? []);
  const reveal = createReveal(mayReadSecrets);
  const source = etcd.watches;
  const configWatch = createConfigWatchHandler({
    config,
    keys: configKeys,
    source,
    clock: systemClock,
    reveal,
  });
  const { validate, load: loadValidation } = createValidateOnDemand();
  const watchHandler = createWatchHandler(batchedWatch, etcd.watches);

  function routes(router: ConnectRouter): void {
    router.service(KvService, createKvHandlers(kv, watchHandler));
    router.service(LeaseService, createLeaseHandlers({ leases, sessions, clock: systemClock }));
    router.service(LockService, createLockHandlers({ locks, clock: systemClock, log }));
    router.service(ElectionService, createElectionHandlers(elections, systemClock));
    router.service(
      DiscoveryService,
      createDiscoveryHandlers({ discovery, keys: discoveryKeys, source: etcd.watches, clock: systemClock }),
    );
    router.service(ConfigService, createConfigHandlers({ config, watch: configWatch, reveal }));
    router.service(
      Health,
      createHealthHandlers(
        readiness,
        services.map(({ typeName }) => typeName),
      ),
    );
    registerReflection(
      router,
      [...services, Health],
      [file_concord_error_v1_error_reason, file_google_rpc_error_details],
    );
  }

  const server = started.use(
    await startServer({
      listen: settings.listen,
      tls: tlsIdentity(settings),
      routes,
      validate,
      observer: createCallObserver(log, metrics),
      ...createPlainHttp({ readiness, metrics, discovery, config, mayReadSecrets, services }),
      corsOrigins: settings.corsOrigins?.includes('*') ? '*' : (settings.corsOrigins ?? []),
      defaultTimeoutMs: settings.requestTimeoutMs,
      pingIntervalMs: settings.pingIntervalMs,
      maxRequestBytes: settings.maxRequestBytes,
      maxConnections: settings.maxConnections,
      maxStreams: settings.maxStreams,
      drainTimeoutMs: settings.drainTimeoutMs,
      log,
    }),
  );
  metrics.gauge('concord_workers', 'Processes that serve, and that these values count together.', () => 1);
  metrics.gauge('concord_connections', 'Open connections.', () => server.stats().connections);
  metrics.gauge('concord_streams', 'Open server streams.', () => server.stats().streams);
  metrics.gauge(
    'concord_watch_subscriptions',
    'Open watches of callers and of this gateway itself.',
    () => hub.stats().subscriptions,
  );
  metrics.gauge(
    'concord_watch_channels',
    'Watches that this gateway has open at etcd.',
    () => hub.stats().channels,
  );
  metrics.gauge('concord_watch_history_bytes', 'Changes held in memory.', () => hub.stats().historyBytes);
  metrics.gauge(
    'concord_leases_kept',
    'Leases that this gateway renews.',
    () => coordination.stats().engine.kept,
  );
  metrics.gauge(
    'concord_leases_auto_renewed',
    'Those of them that it renews without a caller.',
    () => coordination.stats().autoRenewed,
  );
  metrics.gauge(
    'concord_instances_probed',
    'Instances that this gateway probes.',
    () => coordination.stats().probed,
  );
  metrics.gauge(
    'concord_leases_lost',
    'Leases that ended, or could not be renewed in time, since the start.',
    () => coordination.stats().engine.lost,
  );
  metrics.gauge(
    'concord_sessions',
    'Leases that live as long as a stream of a caller.',
    () => coordination.stats().sessions,
  );
  await readiness.check();
  // Before the first call comes, as far as that goes, but after those who wait for it to be ready have been told.
  setTimeout(() => {
    loadValidation();
    metrics.load();
  }, LOAD_AHEAD_MS).unref();

  // Torn down in the order opposite to the start: first the server drains, last etcd stops.
  const running = started.move();
  running.defer(() => readiness.drain());
  running.defer(() => sessions.drain());
  const drain = () => running.disposeAsync();
  return {
    listeners: server.listeners,
    embedded,
    etcd,
    metrics,
    stats: () => ({ server: server.stats(), watch: hub.stats(), ...coordination.stats() }),
    failed: embedded?.exited ?? new Promise(() => {}),
    drain,
    [Symbol.asyncDispose]: drain,
  };
}

function etcdIdentity({ etcdUsername, etcdPassword, etcdCa, etcdCert, etcdKey }: Settings) {
  return {
    user: etcdUsername && etcdPassword ? { username: etcdUsername, password: etcdPassword } : undefined,
    tls: etcdCa && { ca: etcdCa, identity: etcdCert && etcdKey && { cert: etcdCert, key: etcdKey } },
  };
}

function tlsIdentity({ tlsCert, tlsKey }: Settings) {
  return tlsCert && tlsKey && { cert: tlsCert, key: tlsKey };
}
