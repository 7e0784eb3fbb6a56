/** A metric whose values are read at each scrape. Those of several processes are added up. */
export interface MetricSource {
  readonly name: string;
  /** As Prometheus names it: `counter`, `gauge` or `histogram`. */
  readonly type: string;
  readonly help: string;
  read(): readonly Sample[];
}

/** One value. */
export interface Sample {
  /** Default: that of the metric. */
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Adds a metric to those that are scraped. */
export type AddMetric = (source: MetricSource) => void;
