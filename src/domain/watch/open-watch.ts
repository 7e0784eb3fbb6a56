import { sizeOf } from './change.ts';
import type { Delivery, Reader, Subscription } from './subscription.ts';
import type { WatchMessage, WatchQuery } from './watch.ts';
import type { WatchHub } from './watch-hub.ts';
import { type Beginning, beginning, type StateDeps, snapshot } from './watch-state.ts';

/** What watches stand on. */
export interface WatchDeps extends StateDeps {
  readonly hub: WatchHub;
}

/** What the reader of a watch gets of its messages, and of what ends it. */
export interface Presenter<T> {
  batch(messages: readonly WatchMessage[]): T;
  failure(error: unknown): unknown;
}

type Shown = Extract<Delivery, { readonly kind: 'events' | 'resync' }>;

/** A batch ends with the message with which it has so many, or so many bytes. */
const MAX_BATCH = 64;
const MAX_BATCH_BYTES = 64 * 1024;

/**
 * A watch that is being read, one batch at a time; it starts with the first.
 *
 * States: reading the state → telling its changes → (changes are lost) reading the state …; over.
 * There may be very many that wait: each is this object and its subscription, and the promise that its reader awaits.
 */
export class OpenWatch<T> implements AsyncIterableIterator<T>, Reader {
  readonly #deps: WatchDeps;
  readonly #query: WatchQuery;
  readonly #presenter: Presenter<T>;
  /** Undefined while changes are told. */
  #state: StateReading | undefined;
  #subscription: Subscription | undefined;
  /** When a word is due where there are no changes. */
  #untilMs = 0;
  #isOver = false;
  #resolve: ((result: IteratorResult<T, undefined>) => void) | undefined;
  #reject: ((error: unknown) => void) | undefined;

  constructor(deps: WatchDeps, query: WatchQuery, presenter: Presenter<T>) {
    this.#deps = deps;
    this.#query = query;
    this.#presenter = presenter;
    this.#state = readState((options) => beginning(deps, query, options));
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Rejects as the {@link createBatchedWatch | watch} does. It must have settled before the next call. */
  next(): Promise<IteratorResult<T, undefined>> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#read();
    });
  }

  /** Ends the watch at any time: also `next` is told that there is no more. */
  async return(): Promise<IteratorResult<T, undefined>> {
    this.#end();
    this.#resolve?.(OVER);
    return OVER;
  }

  /** For the subscription. */
  wake(): void {
    this.#read();
  }

  #read(): void {
    if (this.#isOver) this.#resolve?.(OVER);
    else if (this.#state !== undefined) void this.#readState(this.#state);
    else if (this.#subscription !== undefined) this.#readChanges(this.#subscription);
  }

  async #readState({ messages }: StateReading): Promise<void> {
    try {
      const { done, value } = await messages.next();
      if (this.#isOver) return;
      if (done === true) this.#follow(value);
      else this.#give(value);
    } catch (error) {
      this.#fail(error);
    }
  }

  #follow({ nextRevision, headRevision }: Beginning): void {
    const { hub } = this.#deps;
    const { view, isCoalescing } = this.#query;
    this.#state = undefined;
    this.#startSilence();
    if (this.#subscription === undefined)
      this.#subscription = hub.subscribe({ view, nextRevision, isCoalescing }, headRevision);
    else this.#subscription.rebase(nextRevision);
    this.#read();
  }

  #readChanges(subscription: Subscription): void {
    try {
      const delivery = subscription.poll();
      if (delivery?.kind === 'lost') this.#beginAnew(subscription);
      else if (delivery !== undefined) this.#give(batchFrom(delivery, subscription));
      else if (this.#deps.hub.clock.now() < this.#untilMs) subscription.wait(this.#untilMs, this);
      else {
        this.#startSilence();
        this.#give([{ kind: 'checkpoint', revision: subscription.nextRevision - 1n }]);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #beginAnew(subscription: Subscription): void {
    this.#state = readState((options) => snapshot(this.#deps, this.#query, options));
    this.#give([{ kind: 'resync', revision: subscription.nextRevision - 1n, changes: undefined }]);
  }

  #startSilence(): void {
    this.#untilMs = this.#deps.hub.clock.now() + this.#query.checkpointIntervalMs;
  }

  #give(messages: readonly WatchMessage[]): void {
    this.#resolve?.({ done: false, value: this.#presenter.batch(messages) });
  }

  #fail(error: unknown): void {
    if (this.#isOver) return;
    this.#end();
    this.#reject?.(this.#presenter.failure(error));
  }

  #end(): void {
    this.#isOver = true;
    this.#state?.controller.abort();
    this.#state = undefined;
    this.#subscription?.close();
  }
}

const OVER = { done: true, value: undefined } as const;

/** A state that is being read; no longer, once the controller is aborted. */
interface StateReading {
  readonly messages: AsyncGenerator<readonly WatchMessage[], Beginning>;
  readonly controller: AbortController;
}

function readState(read: (options: AbortController) => StateReading['messages']): StateReading {
  const controller = new AbortController();
  return { messages: read(controller), controller };
}

/** What is there already goes with the first. */
function batchFrom(first: Shown, subscription: Subscription): readonly Shown[] {
  const batch = [first];
  let bytes = bytesOf(first);
  while (batch.length < MAX_BATCH && bytes < MAX_BATCH_BYTES) {
    const next = subscription.pollOn();
    if (next?.kind !== 'events' && next?.kind !== 'resync') break;
    batch.push(next);
    bytes += bytesOf(next);
  }
  return batch;
}

function bytesOf({ changes }: Shown): number {
  return changes.reduce((sum, change) => sum + sizeOf(change), 0);
}
