/** The metrics of a server in the text format of Prometheus. */
export interface Metrics {
  /** The sum of all series of a metric that have these labels; 0 where there is none. */
  sum(name: string, labels?: Readonly<Record<string, string>>): number;
}

/** Asks `http://127.0.0.1:<port>/metrics`. */
export async function fetchMetrics(
  port: number,
  { signal }: { readonly signal: AbortSignal },
): Promise<Metrics> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`, { signal });
  if (!response.ok) throw new Error(`port ${port} answered ${response.status} to /metrics`);
  return readMetrics(await response.text());
}

/** Reads the metrics that a server has told. */
export function readMetrics(text: string): Metrics {
  const series = [...text.matchAll(/^(\w+)(?:\{(.*)\})? (\S+)/gm)].map(([, name, labels = '', value]) => ({
    name,
    labels: labels.split(','),
    value: Number(value),
  }));
  return {
    sum(name, labels = {}) {
      const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
      return series
        .filter((each) => each.name === name && wanted.every((label) => each.labels.includes(label)))
        .reduce((sum, { value }) => sum + value, 0);
    },
  };
}
