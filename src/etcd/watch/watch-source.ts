// The domain's WatchSource on etcd's Watch service: spreads watches over streams.

import type { WatchSource } from '../../domain/store.ts';
import type { Cluster } from '../cluster.ts';
import { LogicalWatch } from './logical-watch.ts';
import {
  type CarrierContext,
  type CarrierTimes,
  DEFAULT_CARRIER_TIMES,
  WatchCarrier,
} from './watch-carrier.ts';

/** On more than some hundred watches a stream of etcd is slow to tell each of them (etcd-io/etcd#17529). */
const MAX_WATCHES_PER_STREAM = 200;

/** Creates the port on a cluster. Close it to end all watches. */
export function createWatchSource(
  cluster: Cluster,
  times?: Partial<CarrierTimes>,
): WatchSource & { close(): void } {
  const shared = new Set<WatchCarrier>();
  const exclusive = new Set<WatchCarrier>();
  let knownClusterId: bigint | undefined;
  const context: CarrierContext = {
    cluster,
    times: { ...DEFAULT_CARRIER_TIMES, ...times },
    onClusterId(id) {
      knownClusterId = id;
    },
    onEmpty(carrier) {
      shared.delete(carrier);
      exclusive.delete(carrier);
    },
  };

  function carrierFor(isPausable: boolean): WatchCarrier {
    const spacious = isPausable ? undefined : [...shared].find(({ size }) => size < MAX_WATCHES_PER_STREAM);
    if (spacious !== undefined) return spacious;
    const carrier = new WatchCarrier(context);
    (isPausable ? exclusive : shared).add(carrier);
    return carrier;
  }

  return {
    open({ range, fromRevision, isPausable = false }, sink) {
      const watch = new LogicalWatch(range, fromRevision, sink);
      const carrier = carrierFor(isPausable);
      carrier.add(watch);
      return {
        pause: () => isPausable && carrier.pause(),
        resume: () => isPausable && carrier.resume(),
        close: () => carrier.remove(watch),
      };
    },

    async clusterId(options) {
      if (knownClusterId !== undefined) return knownClusterId;
      // Any user may ask for the status, whichever keys it may read.
      const { header } = await cluster.call<{ readonly header: { readonly cluster_id: string } }>(
        { service: 'Maintenance', method: 'status', request: {}, attempt: { isWrite: false } },
        options,
      );
      knownClusterId ??= BigInt(header.cluster_id);
      return knownClusterId;
    },

    close() {
      for (const carrier of [...shared, ...exclusive]) carrier.close();
    },
  };
}
