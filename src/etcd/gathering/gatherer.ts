// Sends calls that come at the same time as one.
//
// A call that finds less than two in flight is sent as soon as what has come with it is read from the connections: in the same turn
// of the event loop, so that a lone one waits for nothing. What comes while two are in flight waits, and is the next batch. It is
// sent when one of the two is answered; or without waiting for that, when the next call does not fit into it, or after 10 ms: then
// etcd is far away, or stalled. So a call is always sent after it was made, never with a batch under way.

import { cancellationOf } from '../../domain/cancellation.ts';
import type { OperationOptions } from '../../domain/store.ts';
import { Batch, type Caller, type Share } from './batch.ts';

/** As long as this many are in flight, calls that do not fill a batch wait. */
const MAX_IN_FLIGHT = 2;

/** How calls of one kind are sent. */
export interface Sending<C, A> {
  shareOf(call: C): Share;
  /** Sends one call as if there were no batches. */
  sendOne(call: C, options: OperationOptions): Promise<A>;
  /** Sends several as one, and resolves with an answer each, in their order. */
  sendMany(calls: readonly C[], options: OperationOptions): Promise<readonly A[]>;
  /** Whether a batch failed for the sake of some of its calls, and surely none had an effect: its halves are then sent. */
  isForSome(error: unknown): boolean;
}

/** Gathers calls of one kind. Of several that are in flight at the same time, none is before the other, as with etcd itself. */
export class Gatherer<C, A> {
  readonly #sending: Sending<C, A>;
  #waiting: Batch<C, A> | undefined;
  #inFlight = 0;

  constructor(sending: Sending<C, A>) {
    this.#sending = sending;
  }

  /** Sends a call, and rejects at once when it is cancelled; a batch is cancelled when all its callers are gone. */
  call(call: C, options: OperationOptions): Promise<A> {
    const cancellation = cancellationOf(options);
    if (cancellation.aborted) return Promise.reject(cancellation.reason);
    const share = this.#sending.shareOf(call);
    if (this.#waiting?.hasRoomFor(share) === false) this.#sendWaiting();
    this.#waiting ??= this.#openBatch();
    return this.#waiting.add(call, share, cancellation);
  }

  #openBatch(): Batch<C, A> {
    const batch = new Batch<C, A>(() => this.#sendWaiting());
    if (this.#inFlight < MAX_IN_FLIGHT) {
      setImmediate(() => {
        if (this.#waiting === batch) this.#sendWaiting();
      });
    }
    return batch;
  }

  #sendWaiting(): void {
    const batch = this.#waiting;
    this.#waiting = undefined;
    const callers = batch?.close() ?? [];
    if (batch !== undefined && callers.length > 0) {
      void this.#counted(() => this.#run(callers, batch.options));
    }
  }

  async #counted<T>(send: () => Promise<T>): Promise<T> {
    this.#inFlight++;
    try {
      return await send();
    } finally {
      this.#inFlight--;
      if (this.#inFlight < MAX_IN_FLIGHT) this.#sendWaiting();
    }
  }

  /** Sends those that are still there, and settles them. Never rejects. */
  async #run(batch: readonly Caller<C, A>[], options: OperationOptions): Promise<void> {
    const callers = batch.filter(({ isGone }) => !isGone);
    const [first] = callers;
    if (first === undefined) return;
    try {
      const answers =
        callers.length === 1
          ? [await this.#sending.sendOne(first.call, options)]
          : await this.#sending.sendMany(
              callers.map(({ call }) => call),
              options,
            );
      for (const [i, caller] of callers.entries()) caller.resolve(answers[i] as A);
    } catch (error) {
      if (callers.length === 1 || !this.#sending.isForSome(error)) {
        for (const caller of callers) caller.reject(error);
        return;
      }
      const middle = callers.length >> 1;
      await Promise.all([
        this.#run(callers.slice(0, middle), options),
        this.#run(callers.slice(middle), options),
      ]);
    }
  }
}
