// Plain HTTP beside the rpcs, for programs that speak nothing else: orchestrators and Prometheus for now.
// The routes are handed to the transport, which answers them.

import type { Readiness } from '../rpc/health/readiness.ts';
import type { Metrics } from '../telemetry/metrics.ts';

/** A whole answer. */
export interface PlainResponse {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

const TEXT = 'text/plain; charset=utf-8';

/**
 * Creates the routes: `/healthz` (the process lives), `/readyz` (a linearizable read from etcd works, else 503 and why not) and
 * `/metrics` (Prometheus).
 */
export function createOperatorRoutes(
  readiness: Readiness,
  metrics: Metrics,
): ReadonlyMap<string, () => Promise<PlainResponse>> {
  return new Map([
    ['/healthz', async () => ({ status: 200, contentType: TEXT, body: 'ok\n' })],
    [
      '/readyz',
      async () =>
        (await readiness.check())
          ? { status: 200, contentType: TEXT, body: 'ready\n' }
          : { status: 503, contentType: TEXT, body: `not ready: ${readiness.cause ?? 'unknown'}\n` },
    ],
    [
      '/metrics',
      async () => {
        const { contentType, text } = await metrics.scrape();
        return { status: 200, contentType, body: text };
      },
    ],
  ]);
}
