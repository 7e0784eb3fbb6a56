import type { Settings } from '../settings/definitions.ts';
import type { MetricsSnapshot } from '../telemetry/metrics.ts';
import type { Listener } from '../transport/start-server.ts';

/** A question for metrics, and its answer: the primary asks a worker for its own, a worker the primary for those of all others. */
export type MetricsMessage =
  | { readonly kind: 'ask metrics'; readonly id: number }
  | { readonly kind: 'metrics'; readonly id: number; readonly snapshots: readonly MetricsSnapshot[] };

/** What the primary tells a worker. Whatever a structured clone can hold may be in it. */
export type ToWorker =
  | {
      readonly kind: 'start';
      /** From 1 to the number of workers; one that takes the place of another has its number. */
      readonly number: number;
      /** With the endpoints of the etcd to use, whoever runs it. */
      readonly settings: Settings;
    }
  | { readonly kind: 'stop' }
  | MetricsMessage;

/** What a worker tells the primary. */
export type FromWorker =
  | {
      readonly kind: 'listening';
      readonly listeners: readonly Listener[];
      readonly etcdVersion: string | undefined;
    }
  /** Its last words. */
  | { readonly kind: 'failed'; readonly message: string }
  | MetricsMessage;
