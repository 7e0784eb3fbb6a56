// Counters and histograms, in Prometheus's text format.

import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** The metrics of one process. */
export interface Metrics {
  readonly callsStarted: Counter<'rpc' | 'protocol'>;
  readonly callsInFlight: Gauge<'rpc'>;
  readonly callDuration: Histogram<'rpc' | 'protocol' | 'code' | 'reason'>;
  /** Has a value read anew at each scrape. */
  gauge(name: string, help: string, read: () => number): void;
  /** Returns the values of this process. */
  snapshot(): Promise<MetricsSnapshot>;
  /** Returns all values as text, and its content type; those of the other processes of this gateway are added. */
  scrape(): Promise<{ readonly contentType: string; readonly text: string }>;
}

/** The values of one process at one moment; it can be cloned as messages between processes are. */
export type MetricsSnapshot = Awaited<ReturnType<Registry['getMetricsAsJSON']>>;

/** Asks the other processes of this gateway for their values; those that do not answer in time are left out. */
export type OtherMetrics = () => Promise<readonly MetricsSnapshot[]>;

const DURATION_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * Creates the metrics, those of Node.js itself (memory, event loop, garbage collection) included.
 *
 * @param others Default: there are none.
 */
export function createMetrics(others: OtherMetrics = async () => []): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  return {
    callsStarted: new Counter({
      name: 'concord_rpc_started_total',
      help: 'Calls begun, by rpc and protocol.',
      labelNames: ['rpc', 'protocol'],
      registers,
    }),
    callsInFlight: new Gauge({
      name: 'concord_rpc_in_flight',
      help: 'Calls begun and not ended, open streams included, by rpc.',
      labelNames: ['rpc'],
      registers,
    }),
    callDuration: new Histogram({
      name: 'concord_rpc_duration_seconds',
      help: 'Time from a call to its end, by rpc, protocol, code and, of errors, reason.',
      labelNames: ['rpc', 'protocol', 'code', 'reason'],
      buckets: DURATION_BUCKETS_S,
      registers,
    }),
    gauge(name, help, read) {
      const gauge: Gauge = new Gauge({ name, help, registers, collect: () => gauge.set(read()) });
    },
    snapshot: () => registry.getMetricsAsJSON(),
    async scrape() {
      const snapshots = await others();
      // Sums, but where prom-client knows better: of the event loop's lag it takes the average.
      const all =
        snapshots.length === 0
          ? registry
          : AggregatorRegistry.aggregate([await registry.getMetricsAsJSON(), ...snapshots]);
      return { contentType: registry.contentType, text: await all.metrics() };
    },
  };
}
