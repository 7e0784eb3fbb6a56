// What the services need of each other, put together: a part of the composition root.

import { randomUUID } from 'node:crypto';
import type { Clock } from './domain/clock.ts';
import type { Cipher } from './domain/config/cipher.ts';
import { type ConfigKeys, createConfigKeys } from './domain/config/config-keys.ts';
import { type ConfigService, createConfigService } from './domain/config/config-service.ts';
import type { Documents } from './domain/config/document.ts';
import type { RetentionBounds } from './domain/config/retention.ts';
import { createDiscoveryKeys, type DiscoveryKeys } from './domain/discovery/discovery-keys.ts';
import { createDiscoveryService, type DiscoveryService } from './domain/discovery/discovery-service.ts';
import type { Prober } from './domain/discovery/probe.ts';
import { Probing } from './domain/discovery/probing.ts';
import { createElectionService, type ElectionService } from './domain/election/election-service.ts';
import { AutoRenewal } from './domain/lease/auto-renewal.ts';
import { createFadingLease } from './domain/lease/fading-lease.ts';
import { LeaseEngine, type LeaseEngineStats } from './domain/lease/lease-engine.ts';
import { mirrorLeaseRecords } from './domain/lease/lease-records.ts';
import { createLeaseService, type LeaseService } from './domain/lease/lease-service.ts';
import { startReplica } from './domain/lease/replica.ts';
import { createLockService, type LockService } from './domain/lock/lock-service.ts';
import { Sessions } from './domain/session/sessions.ts';
import type { KeyValueStore, LeaseStore, WatchSource } from './domain/store.ts';
import type { Watch } from './domain/watch/watch.ts';

/** The services, and what runs behind them. Disposing ends that; drain the sessions first. */
export interface Coordination extends AsyncDisposable {
  readonly leases: LeaseService;
  readonly locks: LockService;
  readonly elections: ElectionService;
  readonly discovery: DiscoveryService;
  readonly discoveryKeys: DiscoveryKeys;
  readonly config: ConfigService;
  readonly configKeys: ConfigKeys;
  readonly sessions: Sessions;
  stats(): CoordinationStats;
}

/** What it holds at the moment. */
export interface CoordinationStats {
  readonly engine: LeaseEngineStats;
  readonly sessions: number;
  /** Leases that this replica renews without a caller. */
  readonly autoRenewed: number;
  /** Those of them whose instances it probes. */
  readonly probed: number;
}

/** What it needs. */
export interface CoordinationDeps {
  readonly store: KeyValueStore;
  readonly leases: LeaseStore;
  readonly source: WatchSource;
  readonly watch: Watch;
  readonly clock: Clock;
  readonly prober: Prober;
  /** The keys under which instances stand. */
  readonly servicesPrefix: string;
  /** The keys under which configuration stands. */
  readonly configPrefix: string;
  readonly history: RetentionBounds;
  readonly documents: Documents;
  readonly cipher: Cipher;
}

/** Starts it. It waits for nothing: while the store does not answer, it is tried again. */
export function startCoordination({
  store,
  leases,
  source,
  watch,
  clock,
  prober,
  servicesPrefix,
  configPrefix,
  history,
  documents,
  cipher,
}: CoordinationDeps): Coordination {
  const random = Math.random;
  const replicaId = randomUUID();
  const engine = new LeaseEngine({ leases, clock, random });
  const shared = { store, leases, engine, clock };
  const discoveryKeys = createDiscoveryKeys(servicesPrefix);
  const probing = new Probing({ ...shared, keys: discoveryKeys, prober, random });
  const autoRenewal = new AutoRenewal({ ...shared, random, replicaId, companion: probing });
  const sessions = new Sessions(shared);
  const replica = startReplica(shared, replicaId);
  const records = mirrorLeaseRecords(
    { store, source, clock },
    {
      renewed: autoRenewal.renewed,
      replica: {
        changed(key, change) {
          autoRenewal.replica.changed(key, change);
          if (key.replicaId === replicaId && change.kv === undefined) replica.forgotten();
        },
        synced: (revision) => autoRenewal.replica.synced?.(revision),
      },
      session: sessions.records,
    },
  );
  sessions.follow(records);
  const deps = { ...shared, source, watch, sessions, fadingLease: createFadingLease(leases, clock) };
  const discovery = createDiscoveryService({ ...deps, prober, keys: discoveryKeys, random });
  const configKeys = createConfigKeys(configPrefix);
  const config = createConfigService(
    { ...shared, watch, random, newId: randomUUID, keys: configKeys, documents, cipher },
    history,
  );
  return {
    config,
    configKeys,
    discovery,
    discoveryKeys,
    leases: createLeaseService({ store, leases, autoRenewal, clock }),
    locks: createLockService(deps),
    elections: createElectionService(deps),
    sessions,
    stats: () => ({
      engine: engine.stats(),
      sessions: sessions.size,
      autoRenewed: autoRenewal.size,
      probed: probing.size,
    }),
    async [Symbol.asyncDispose]() {
      await config[Symbol.asyncDispose]();
      discovery[Symbol.dispose]();
      probing[Symbol.dispose]();
      records[Symbol.dispose]();
      await replica[Symbol.asyncDispose]();
      engine[Symbol.dispose]();
    },
  };
}
