import type { OperationOptions } from '../../domain/store.ts';
import { untilAborted } from '../../domain/watch/watch.ts';

/** Messages as they come, several at once where they are there. It ends with `return`, at any time. */
export type Batches<T> = AsyncIterableIterator<readonly T[]> & { return(): Promise<unknown> };

/** A stream whose messages are often ready several at once: who can send them together opens it, and who cannot iterates over it. */
export class Batched<T> implements AsyncIterable<T> {
  readonly open: () => Promise<Batches<T>>;
  readonly #options: OperationOptions;

  /** @param options its signal ends the iteration; who opens the stream has to end it. */
  constructor(open: () => Promise<Batches<T>>, options: OperationOptions) {
    this.open = open;
    this.#options = options;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for await (const batch of untilAborted(await this.open(), this.#options)) yield* batch;
  }
}
