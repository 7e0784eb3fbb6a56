import { describe, expect, it, vi } from 'vitest';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { superviseWorker } from '../../../src/workers/supervise-worker.ts';
import type { WorkerExit, WorkerProcess } from '../../../src/workers/worker-process.ts';

interface ScriptedWorker extends WorkerProcess {
  die(reason: string): void;
}

function startWorker(): ScriptedWorker {
  const { promise: exited, resolve } = Promise.withResolvers<WorkerExit>();
  return {
    pid: 1,
    startedMs: performance.now(),
    listening: new Promise(() => {}),
    exited,
    isAlive: () => true,
    start() {},
    stop() {},
    kill() {},
    metrics: async () => [],
    die: (reason) => resolve({ code: 1, reason }),
  };
}

/** Supervises, with a clock of the test's own. */
function supervise() {
  vi.useFakeTimers();
  const lines: string[] = [];
  const log = createLogger('warn', 'json', { write: (line) => lines.push(line) });
  const workers = [startWorker()];
  const stop = new AbortController();
  const [first] = workers;
  if (first === undefined) throw new Error('no worker');
  const startAgain = () => {
    const worker = startWorker();
    workers.push(worker);
    return worker;
  };
  const ended = superviseWorker({ number: 3, first, startAgain, log }, stop);
  ended.catch(() => {});
  return {
    workers,
    lines,
    stop,
    ended,
    async die(reason = 'it fell') {
      workers.at(-1)?.die(reason);
      await vi.advanceTimersByTimeAsync(0);
    },
    [Symbol.dispose]: () => void vi.useRealTimers(),
  };
}

describe('a supervised worker', () => {
  it('is replaced after 100 ms, and after twice as long each time that it dies young', async () => {
    using supervised = supervise();
    for (const [index, waitMs] of [100, 200, 400, 800].entries()) {
      await supervised.die(`fall ${index}`);
      await vi.advanceTimersByTimeAsync(waitMs - 1);
      expect(supervised.workers).toHaveLength(index + 1);
      await vi.advanceTimersByTimeAsync(1);
      expect(supervised.workers).toHaveLength(index + 2);
      expect(supervised.lines.at(-1)).toContain(`"worker":3,"pid":1,"cause":"fall ${index}"`);
    }
    await supervised.die('the last');
    await expect(supervised.ended).rejects.toThrow(
      'gave up on worker 3 after 5 deaths in a row; the last: the last',
    );
  });

  it('has its deaths forgotten when it lives for 10 s', async () => {
    using supervised = supervise();
    for (let death = 0; death < 20; death++) {
      await vi.advanceTimersByTimeAsync(10_000);
      await supervised.die();
      await vi.advanceTimersByTimeAsync(100);
      expect(supervised.workers).toHaveLength(death + 2);
    }
  });

  it('is not replaced any more once it is stopped, also while one is waited for', async () => {
    using supervised = supervise();
    await supervised.die();
    supervised.stop.abort();
    await vi.advanceTimersByTimeAsync(1_000);
    await supervised.ended;
    expect(supervised.workers).toHaveLength(1);
  });
});
