import { reasonError } from '../rpc/checks/errors.ts';
import type { NodeRequest } from './node-http.ts';

/**
 * The body of a request, to be read once.
 *
 * The library waits for it without a look at the call's signal, so that a caller who never sends the rest would hold a call
 * for ever: reading rejects once `cut` is called, or when the body has not come within `timeoutMs` of the first read. One that is not read to
 * its end leaves the connection alone.
 */
export class RequestBody implements AsyncIterableIterator<Uint8Array> {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #timeoutMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #rejectRead: ((reason: unknown) => void) | undefined;
  #cutReason: { readonly error: unknown } | undefined;

  /** @param timeoutMs undefined: no limit, for a request that streams. */
  constructor(request: NodeRequest, timeoutMs: number | undefined) {
    this.#chunks = request.iterator({ destroyOnReturn: false });
    this.#timeoutMs = timeoutMs;
  }

  /** Rejects what is being read, and all that is read later, with `error`. Does nothing after the end of the body. */
  cut(error: unknown): void {
    this.stop();
    this.#cutReason ??= { error };
    this.#rejectRead?.(error);
  }

  /** Ends the time limit: nothing more is read. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    this.#timer ??= this.#startTimer();
    return new Promise((resolve, reject) => {
      if (this.#cutReason !== undefined) return reject(this.#cutReason.error);
      this.#rejectRead = reject;
      this.#chunks.next().then((result) => {
        if (result.done) this.stop();
        resolve(result);
      }, reject);
    });
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    this.stop();
    // While a read is under way the body ends only with it, which may be never.
    void this.#chunks.return?.().catch(() => {});
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #startTimer(): NodeJS.Timeout | undefined {
    const timeoutMs = this.#timeoutMs;
    if (timeoutMs === undefined) return undefined;
    const error = () => reasonError('DEADLINE_EXCEEDED', `The request did not come within ${timeoutMs} ms`);
    return setTimeout(() => this.cut(error()), timeoutMs);
  }
}
