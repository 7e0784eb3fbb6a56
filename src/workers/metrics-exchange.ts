import type { MetricsSnapshot } from '../telemetry/metrics.ts';
import type { MetricsMessage } from './messages.ts';

/** How long an answer may take, in milliseconds: Prometheus waits 10 s for all of them. */
const ANSWER_TIMEOUT_MS = 2_000;

/** Asks the other end of a channel for metrics, and answers it. */
export interface MetricsExchange {
  /** Resolves with nothing where no answer comes within 2 s. */
  ask(): Promise<readonly MetricsSnapshot[]>;
  /** Takes what came from the other end. */
  take(message: MetricsMessage): void;
}

/** @param answer what this end has to tell; where it rejects, nothing is. */
export function createMetricsExchange(
  send: (message: MetricsMessage) => void,
  answer: () => Promise<readonly MetricsSnapshot[]>,
): MetricsExchange {
  const asked = new Map<number, (snapshots: readonly MetricsSnapshot[]) => void>();
  let lastId = 0;

  return {
    ask() {
      const id = ++lastId;
      const { promise, resolve } = Promise.withResolvers<readonly MetricsSnapshot[]>();
      const timer = setTimeout(resolve, ANSWER_TIMEOUT_MS, []);
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
