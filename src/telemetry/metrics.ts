// Counters and histograms, in Prometheus's text format.

import { createRequire } from 'node:module';
import type { Metric, Registry } from 'prom-client';
import { type CallMetrics, createCallMetrics } from './call-metrics.ts';
import type { AddMetric, MetricSource } from './metric-source.ts';

const require = createRequire(import.meta.url);

/** The metrics of one process. */
export interface Metrics {
  readonly calls: CallMetrics;
  /** Has a value read anew at each scrape. */
  gauge(name: string, help: string, read: () => number): void;
  /** Loads what writes them, which is a tenth of a start, and begins to watch Node.js. Default: at the first scrape. */
  load(): void;
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
  const sources: MetricSource[] = [];
  let loaded: ReturnType<typeof load> | undefined;

  function load() {
    const client: typeof import('prom-client') = require('prom-client');
    const registry = new client.Registry();
    client.collectDefaultMetrics({ register: registry });
    for (const source of sources) registry.registerMetric(toMetric(source));
    return { client, registry };
  }
  function loadOnce() {
    loaded ??= load();
    return loaded;
  }
  const add: AddMetric = (source) => {
    sources.push(source);
    loaded?.registry.registerMetric(toMetric(source));
  };

  return {
    calls: createCallMetrics(add),
    gauge: (name, help, read) =>
      add({ name, type: 'gauge', help, read: () => [{ labels: {}, value: read() }] }),
    load: () => void loadOnce(),
    snapshot: () => loadOnce().registry.getMetricsAsJSON(),
    async scrape() {
      const { client, registry } = loadOnce();
      const snapshots = await others();
      // Sums, but where prom-client knows better: of the event loop's lag it takes the average.
      const all =
        snapshots.length === 0
          ? registry
          : client.AggregatorRegistry.aggregate([await registry.getMetricsAsJSON(), ...snapshots]);
      return { contentType: registry.contentType, text: await all.metrics() };
    },
  };
}

/** What a registry asks of its metrics; its type names prom-client's own classes. */
function toMetric({ name, type, help, read }: MetricSource): Metric {
  const get = async () => ({ name, type, help, aggregator: 'sum', values: read() });
  return { name, type, help, get } as unknown as Metric;
}
