import { describe, expect, it, vi } from 'vitest';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { superviseWorker } from '../../../src/workers/supervise-worker.ts';
import type { WorkerExit, WorkerProcess } from '../../../src/workers/worker-process.ts';

interface ScriptedWorker extends WorkerProcess {
  startedMs: number;
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

/** Supervises workers whose replacement waits for nothing. */
function supervise() {
  const lines: string[] = [];
  const waitedMs: number[] = [];
  const log = createLogger('warn', 'json', { write: (line) => lines.push(line) });
  const first = startWorker();
  const workers = [first];
  const stop = new AbortController();
  const startAgain = () => {
    const worker = startWorker();
    workers.push(worker);
    return worker;
  };
  const wait = async (ms: number) => void waitedMs.push(ms);
  const ended = superviseWorker({ number: 3, first, startAgain, log, wait }, stop);
  ended.catch(() => {});
  return { workers, lines, waitedMs, stop, ended };
}

describe('a supervised worker', () => {
  it('is replaced after 100 ms, and after twice as long each time that it dies young', async () => {
    const { workers, lines, waitedMs, ended } = supervise();
    for (let death = 1; death <= 4; death++) {
      workers.at(-1)?.die(`fall ${death}`);
      await vi.waitFor(() => expect(workers).toHaveLength(death + 1));
      expect(lines.at(-1)).toContain(`"worker":3,"pid":1,"cause":"fall ${death}"`);
    }
    expect(waitedMs).toEqual([100, 200, 400, 800]);
    workers.at(-1)?.die('fall 5');
    await expect(ended).rejects.toThrow('gave up on worker 3 after 5 deaths in a row; the last: fall 5');
    expect(workers).toHaveLength(5);
  });

  it('has its deaths forgotten when it lives for 10 s', async () => {
    const { workers, waitedMs } = supervise();
    for (let death = 1; death <= 20; death++) {
      const worker = workers.at(-1);
      if (worker !== undefined) worker.startedMs -= 10_000;
      worker?.die('it fell');
      await vi.waitFor(() => expect(workers).toHaveLength(death + 1));
    }
    expect(new Set(waitedMs)).toEqual(new Set([100]));
  });

  it('is not replaced once it is stopped', async () => {
    const { workers, stop, ended } = supervise();
    stop.abort();
    workers.at(-1)?.die('it fell');
    await ended;
    expect(workers).toHaveLength(1);
  });
});
