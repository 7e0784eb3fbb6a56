// Calls that wait to be sent together, and are then in flight together.

import { type AbortListener, type Cancellation, LazyAbort } from '../../domain/cancellation.ts';
import type { OperationOptions } from '../../domain/store.ts';

/** The most operations of one transaction that etcd takes by default (--max-txn-ops). */
const MAX_OPERATIONS = 128;

/** Far below the 1.5 MiB of a request to etcd; a call that has more is a batch by itself. */
const MAX_BYTES = 256 * 1024;

/** The longest that a batch waits for those in flight, in milliseconds. */
const MAX_WAIT_MS = 10;

const ONCE = { once: true } as const;

/** What a call takes of a batch. */
export interface Share {
  readonly operations: number;
  readonly bytes: number;
  /** No two calls of the same name are in one batch. @default none */
  readonly name?: string;
}

/** A batch that takes calls until it is closed. */
export class Batch<C, A> {
  readonly #abort = new LazyAbort();
  readonly #names = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  #callers: Caller<C, A>[] = [];
  #operations = 0;
  #bytes = 0;
  /** How many callers are still there; 0 until the batch is closed. */
  #present = 0;

  /** @param onLate is called where the batch was not closed within 10 ms. */
  constructor(onLate: () => void) {
    this.#timer = setTimeout(onLate, MAX_WAIT_MS);
  }

  /** Of the operation that answers it: aborted when all callers of the closed batch are gone. */
  get options(): OperationOptions {
    return this.#abort;
  }

  /** Returns whether a call can be added: at most 128 operations and 256 KiB, and each name once. */
  hasRoomFor({ operations, bytes, name }: Share): boolean {
    return (
      this.#operations + operations <= MAX_OPERATIONS &&
      this.#bytes + bytes <= MAX_BYTES &&
      (name === undefined || !this.#names.has(name))
    );
  }

  /** Adds a call, and resolves or rejects as its {@link Caller} does. */
  add(call: C, { operations, bytes, name }: Share, cancellation: Cancellation): Promise<A> {
    this.#operations += operations;
    this.#bytes += bytes;
    if (name !== undefined) this.#names.add(name);
    return new Promise((resolve, reject) => {
      this.#callers.push(new Caller(call, cancellation, { resolve, reject, leave: this.#leave }));
    });
  }

  /** Takes no more calls, and returns those whose callers are still there. */
  close(): readonly Caller<C, A>[] {
    clearTimeout(this.#timer);
    this.#callers = this.#callers.filter(({ isGone }) => !isGone);
    this.#present = this.#callers.length;
    return this.#callers;
  }

  readonly #leave = (): void => {
    if (this.#present > 0 && --this.#present === 0) this.#abort.abort(new Error('all callers have left'));
  };
}

/** One who waits for the answer to a call, until it is cancelled. */
export class Caller<C, A> implements AbortListener {
  readonly call: C;
  readonly #cancellation: Cancellation;
  readonly #settle: Settle<A>;
  #isGone = false;

  constructor(call: C, cancellation: Cancellation, settle: Settle<A>) {
    this.call = call;
    this.#cancellation = cancellation;
    this.#settle = settle;
    cancellation.addEventListener('abort', this, ONCE);
  }

  /** Whether it was cancelled already. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** Gives it the answer; of no effect where it is gone. */
  resolve(answer: A): void {
    this.#cancellation.removeEventListener('abort', this);
    this.#settle.resolve(answer);
  }

  /** Gives it the failure; of no effect where it is gone. */
  reject(error: unknown): void {
    this.#cancellation.removeEventListener('abort', this);
    this.#settle.reject(error);
  }

  /** It is cancelled. */
  handleEvent(): void {
    this.#isGone = true;
    this.#settle.reject(this.#cancellation.reason);
    this.#settle.leave();
  }
}

interface Settle<A> {
  resolve(answer: A): void;
  reject(error: unknown): void;
  leave(): void;
}
