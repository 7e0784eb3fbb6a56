// That an operation is no longer wanted, told without an AbortSignal: one with a listener costs some microseconds and 2 KB, and of
// most operations nobody ever has to be told.

import type { OperationOptions } from './store.ts';

/** Is told once of an abort. Must not throw. */
export interface AbortListener {
  handleEvent(): void;
}

/** What operations ask of an AbortSignal, which is one. */
export interface Cancellation {
  readonly aborted: boolean;
  /** Undefined until it is aborted. */
  readonly reason: unknown;
  throwIfAborted(): void;
  /** Of no effect where it is aborted already. */
  addEventListener(type: 'abort', listener: AbortListener, options: { readonly once: true }): void;
  removeEventListener(type: 'abort', listener: AbortListener): void;
}

/** Returns what tells an operation that it is no longer wanted: its `signal` where there is nothing cheaper. */
export function cancellationOf(options: OperationOptions): Cancellation {
  return options.cancellation ?? options.signal;
}

/** An AbortController whose signal is made for the first who asks, and the options of operations that it aborts. */
export class LazyAbort implements Cancellation, OperationOptions {
  #controller: AbortController | undefined;
  #listeners: AbortListener[] | undefined;
  #isAborted = false;
  #reason: unknown;

  get cancellation(): Cancellation {
    return this;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#isAborted) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  get aborted(): boolean {
    return this.#isAborted;
  }

  get reason(): unknown {
    return this.#reason;
  }

  throwIfAborted(): void {
    if (this.#isAborted) throw this.#reason;
  }

  addEventListener(_type: 'abort', listener: AbortListener): void {
    if (this.#isAborted) return;
    if (this.#listeners === undefined) this.#listeners = [listener];
    else this.#listeners.push(listener);
  }

  removeEventListener(_type: 'abort', listener: AbortListener): void {
    const at = this.#listeners?.indexOf(listener) ?? -1;
    if (at >= 0) this.#listeners?.splice(at, 1);
  }

  /** Tells those who listen, once; a later reason is of no effect. */
  abort(reason: unknown): void {
    if (this.#isAborted) return;
    this.#isAborted = true;
    this.#reason = reason;
    const listeners = this.#listeners ?? [];
    this.#listeners = undefined;
    for (const listener of listeners) listener.handleEvent();
    this.#controller?.abort(reason);
  }
}
