// The adapter behind the domain's ports: the only folder that knows etcd and its client library.
// Opens a connection to a cluster and hands out the ports.

import type { KeyValueStore, LeaseStore, WatchSource } from '../domain/store.ts';
import { createAuthenticator, type EtcdUser } from './authenticator.ts';
import { Cluster, type ClusterTimes, DEFAULT_CLUSTER_TIMES } from './cluster.ts';
import { createGatheringStore } from './gathering/gathering-store.ts';
import { createKeyValueStore } from './key-value-store.ts';
import { createLeaseStore } from './lease/lease-store.ts';
import { type EtcdTls, Member } from './member.ts';
import { createWatchSource } from './watch/watch-source.ts';

/** Which cluster, and as whom. */
export interface EtcdOptions {
  /** At least one, each `http://host:port` or, all of them, `https://host:port`. */
  readonly endpoints: readonly string[];
  readonly user?: EtcdUser | undefined;
  readonly tls?: EtcdTls | undefined;
  readonly times?: Partial<ClusterTimes>;
}

/** A connection to a cluster. */
export interface Etcd extends AsyncDisposable {
  readonly store: KeyValueStore;
  readonly leases: LeaseStore;
  readonly watches: WatchSource;
  /** Returns the version of a member that answers, for example "3.6.14". Rejects as the ports do. */
  version(options: { readonly signal: AbortSignal }): Promise<string>;
  close(): void;
}

/** Opens a connection; it is made when the first call needs it. */
export function openEtcd({ endpoints, user, tls, times }: EtcdOptions): Etcd {
  const members = endpoints.map((endpoint) => new Member(endpoint, tls));
  const cluster = new Cluster(members, createAuthenticator(user), { ...DEFAULT_CLUSTER_TIMES, ...times });
  const watches = createWatchSource(cluster);
  const leases = createLeaseStore(cluster);
  function close(): void {
    watches.close();
    leases.close();
    cluster.close();
  }
  return {
    store: createGatheringStore(createKeyValueStore(cluster)),
    leases,
    watches,
    async version(options) {
      const status = await cluster.call<{ readonly version: string }>(
        { service: 'Maintenance', method: 'status', request: {}, attempt: { isWrite: false } },
        options,
      );
      return status.version;
    },
    close,
    [Symbol.asyncDispose]: async () => close(),
  };
}
