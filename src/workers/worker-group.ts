import { once } from 'node:events';
import type { Settings } from '../settings/definitions.ts';
import type { Logger } from '../telemetry/logger.ts';
import { superviseWorker } from './supervise-worker.ts';
import { forkWorker, type Listening, type WorkerExit, type WorkerProcess } from './worker-process.ts';

/** Some workers, numbered from 1. Disposing stops them. */
export interface WorkerGroup extends AsyncDisposable {
  /**
   * Has all of them serve, and sees to it that there are as many from then on. Resolves when all listen, with what the first says;
   * rejects with the reason of one that cannot, or with `signal.reason`.
   */
  start(settings: Settings, options: { readonly signal: AbortSignal }): Promise<Listening>;
  /** Rejects when one was given up. */
  readonly failed: Promise<void>;
  /** Has all of them drain and end, and resolves with how they did. */
  stop(): Promise<readonly WorkerExit[]>;
}

/** How long a worker may take to end after the time that it has for its drain, in milliseconds; then it is killed. */
const END_TIMEOUT_MS = 30_000;

/** Forks workers, which load their code and wait to be started. @param count at least 1 */
export function forkWorkers(
  { workers: count, drainTimeoutMs }: Pick<Settings, 'workers' | 'drainTimeoutMs'>,
  log: Logger,
): WorkerGroup {
  const stopping = new AbortController();
  const failed = Promise.withResolvers<void>();
  failed.promise.catch(() => {});
  const workers = Array.from({ length: count }, (_, index) => fork(index + 1));
  // Those that hang would not notice that the primary has ended.
  process.on('exit', kill);

  function kill(): void {
    for (const worker of workers) worker.kill();
  }

  function fork(number: number): WorkerProcess {
    const worker = forkWorker(number, async () => {
      const others = workers.filter((each) => each !== worker && each.isAlive());
      return (await Promise.all(others.map((each) => each.metrics()))).flat();
    });
    log.info({ worker: number, pid: worker.pid }, 'a worker starts');
    return worker;
  }

  function supervise(settings: Settings, { listeners }: Listening): void {
    let { listen } = settings;
    const supervisors = workers.map((first, index) =>
      superviseWorker(
        {
          number: index + 1,
          first,
          log,
          startAgain() {
            // A free port (0) is the same for all as long as one of them holds it; from then on it is asked for by its number.
            if (!workers.some((each) => each.isAlive())) listen = listeners;
            const worker = fork(index + 1);
            workers[index] = worker;
            worker.start({ ...settings, listen });
            return worker;
          },
        },
        stopping,
      ),
    );
    Promise.all(supervisors).catch(failed.reject);
  }

  async function stop(): Promise<readonly WorkerExit[]> {
    stopping.abort();
    const left = workers.filter((each) => each.isAlive());
    for (const worker of left) worker.stop();
    const timer = setTimeout(kill, drainTimeoutMs + END_TIMEOUT_MS);
    const exits = await Promise.all(left.map((each) => each.exited));
    clearTimeout(timer);
    process.off('exit', kill);
    return exits;
  }

  return {
    async start(settings, { signal }) {
      signal.throwIfAborted();
      for (const worker of workers) worker.start(settings);
      const aborted = once(signal, 'abort').then(() => Promise.reject(signal.reason));
      const said = await Promise.race([Promise.all(workers.map((each) => each.listening)), aborted]);
      const [first] = said;
      if (first === undefined) throw new Error('there are no workers');
      supervise(settings, first);
      return first;
    },
    failed: failed.promise,
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
    },
  };
}
