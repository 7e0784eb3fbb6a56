// Counters and histograms, in Prometheus's text format.

import { AggregatorRegistry, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { type CallMetrics, createCallMetrics } from './call-metrics.ts';

/** The metrics of one process. */
export interface Metrics {
  readonly calls: CallMetrics;
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
    calls: createCallMetrics(registry),
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
