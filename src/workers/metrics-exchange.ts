import type { MetricsSnapshot } from '../telemetry/metrics.ts';
import type { MetricsMessage } from './messages.ts';

/** Asks the other end of a channel for metrics, and answers it. */
export interface MetricsExchange {
  /** Resolves with nothing where no answer comes in time. */
  ask(): Promise<readonly MetricsSnapshot[]>;
  /** Takes what came from the other end. */
  take(message: MetricsMessage): void;
}

/** What {@link createMetricsExchange} needs. */
export interface MetricsExchangeOptions {
  readonly send: (message: MetricsMessage) => void;
  /** What this end has to tell; where it rejects, that is nothing. */
  readonly answer: () => Promise<readonly MetricsSnapshot[]>;
  /** How long the other end may take, in milliseconds. */
  readonly timeoutMs: number;
}

/** Creates one end of an exchange. */
export function createMetricsExchange({ send, answer, timeoutMs }: MetricsExchangeOptions): MetricsExchange {
  const asked = new Map<number, (snapshots: readonly MetricsSnapshot[]) => void>();
  let lastId = 0;

  return {
    ask() {
      const id = ++lastId;
      const { promise, resolve } = Promise.withResolvers<readonly MetricsSnapshot[]>();
      const timer = setTimeout(resolve, timeoutMs, []);
      asked.set(id, resolve);
      send({ kind: 'ask metrics', id });
      return promise.finally(() => {
        clearTimeout(timer);
        asked.delete(id);
      });
    },
    take(message) {
      const { id } = message;
      if (message.kind === 'metrics') asked.get(id)?.(message.snapshots);
      else
        answer().then(
          (snapshots) => send({ kind: 'metrics', id, snapshots }),
          () => send({ kind: 'metrics', id, snapshots: [] }),
        );
    },
  };
}
