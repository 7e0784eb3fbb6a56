import { describe, expect, it, vi } from 'vitest';
import type { MetricsSnapshot } from '../../../src/telemetry/metrics.ts';
import type { MetricsMessage } from '../../../src/workers/messages.ts';
import { createMetricsExchange } from '../../../src/workers/metrics-exchange.ts';

const TIMEOUT_MS = 60_000;
const [ONE, TWO]: readonly MetricsSnapshot[] = [[], []];

describe('metrics asked over a channel', () => {
  it('are those of the other end, asked from either, each answer to its question', async () => {
    const primary = createMetricsExchange({
      send: (message) => queueMicrotask(() => worker.take(message)),
      answer: async () => [ONE ?? [], TWO ?? []],
      timeoutMs: TIMEOUT_MS,
    });
    const worker = createMetricsExchange({
      send: (message) => queueMicrotask(() => primary.take(message)),
      answer: async () => [TWO ?? []],
      timeoutMs: TIMEOUT_MS,
    });
    const answers = await Promise.all([primary.ask(), worker.ask(), primary.ask()]);
    expect(answers.map(({ length }) => length)).toEqual([1, 2, 1]);
  });

  it('are none where the other end has none to tell', async () => {
    const sent: MetricsMessage[] = [];
    const exchange = createMetricsExchange({
      send: (message) => sent.push(message),
      answer: () => Promise.reject(new Error('not yet')),
      timeoutMs: TIMEOUT_MS,
    });
    exchange.take({ kind: 'ask metrics', id: 7 });
    await vi.waitFor(() => expect(sent).toEqual([{ kind: 'metrics', id: 7, snapshots: [] }]));
  });

  it('are none where no answer comes in time, and one that comes late is for nobody', async () => {
    vi.useFakeTimers();
    try {
      const sent: MetricsMessage[] = [];
      const exchange = createMetricsExchange({
        send: (message) => sent.push(message),
        answer: async () => [],
        timeoutMs: TIMEOUT_MS,
      });
      const asked = exchange.ask();
      await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
      expect(await asked).toEqual([]);
      exchange.take({ kind: 'metrics', id: sent[0]?.id ?? 0, snapshots: [[]] });
    } finally {
      vi.useRealTimers();
    }
  });
});
