/** What an etcd says of the watches that it serves. */
export interface EtcdWatchMetrics {
  /** Watches that are open. */
  readonly watchers: number;
  /** Streams of watches that were opened since its start. */
  readonly streams: number;
  /** Those of them that have not ended. */
  readonly openStreams: number;
}

/** The watches that each gateway has open for itself, all on the stream of the others: one of leases, two of configuration. */
export const GATEWAY_WATCHES = 3;

/** Those of configuration go through the hub, as the watches of callers do: each is a subscription, and a channel. */
export const HUB_WATCHES = 2;

const ANSWER_TIMEOUT_MS = 30_000;

/** Asks one member. */
export async function etcdWatchMetrics(endpoint: string): Promise<EtcdWatchMetrics> {
  const response = await fetch(`${endpoint}/metrics`, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
  const text = await response.text();
  const read = (metric: RegExp) => Number(metric.exec(text)?.[1] ?? 0);
  const streams = read(/^grpc_server_started_total\{.*grpc_method="Watch".*\} (\d+)$/m);
  const handled = text.matchAll(/^grpc_server_handled_total\{.*grpc_method="Watch".*\} (\d+)$/gm);
  const ended = [...handled].reduce((sum, [, count]) => sum + Number(count), 0);
  return {
    watchers: read(/^etcd_debugging_mvcc_watcher_total (\d+)$/m),
    streams,
    openStreams: streams - ended,
  };
}

/** Has etcd forget every revision before this one. */
export async function compact(endpoint: string, revision: bigint): Promise<void> {
  const response = await fetch(`${endpoint}/v3/kv/compaction`, {
    method: 'POST',
    body: JSON.stringify({ revision: String(revision), physical: true }),
  });
  if (!response.ok) throw new Error(await response.text());
}
