import type { OperationOptions } from '../store.ts';

/**
 * Runs at most one read of each kind at a time. Who asks while one is under way joins the next: so every answer was read after it
 * was asked for.
 */
export class Gathering<T> {
  readonly #running = new Map<string, Promise<T>>();
  readonly #next = new Map<string, Promise<T>>();

  /**
   * Returns what `read` reads for all who ask for `id`. Rejects as it does; on abort for this caller alone, so that `read` must not
   * depend on anybody's signal.
   */
  async join(id: string, { signal }: OperationOptions, read: () => Promise<T>): Promise<T> {
    const running = this.#running.get(id);
    if (running === undefined) return orAborted(this.#start(id, read), signal);
    let next = this.#next.get(id);
    if (next === undefined) {
      next = settled(running).then(() => {
        this.#next.delete(id);
        return this.#start(id, read);
      });
      this.#next.set(id, next);
    }
    return orAborted(next, signal);
  }

  #start(id: string, read: () => Promise<T>): Promise<T> {
    const running = read().finally(() => {
      if (this.#running.get(id) === running) this.#running.delete(id);
    });
    this.#running.set(id, running);
    return running;
  }
}

function settled(promise: Promise<unknown>): Promise<void> {
  return promise.then(
    () => {},
    () => {},
  );
}

/** Settles as the promise does, or rejects with the signal's reason if that comes first. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
