import { type ConnectError, createContextKey } from '@connectrpc/connect';
import { type Cancellation, LazyAbort } from '../domain/cancellation.ts';
import type { CallContext, CallObserver } from '../rpc/checks/call-context.ts';
import { reasonError, reasonOf, toConnectError } from '../rpc/checks/errors.ts';
import type { RequestBody } from './request-body.ts';

/**
 * One call while it is served.
 *
 * `failure` is set once, by whoever learns first that the call fails, and is what the caller is sent; `ended` is reported
 * once, when the answer has left or can no longer be sent, and the signal is aborted only in the latter case or by `stop`.
 */
export class RpcCall {
  readonly context: CallContext;
  readonly isStream: boolean;
  /** What the caller sends, once it is being read. */
  body: RequestBody | undefined;
  /** Set before the handler runs where the call is not admitted. */
  refusal: ConnectError | undefined;
  /** When it is stopped if it has not ended, in milliseconds of the monotonic clock; for handlers that look. */
  deadlineMs: number | undefined;
  /** Whether the handler has answered: what goes wrong after that is not the caller's doing. */
  isAnswered = false;
  /** Is told as soon as the call is stopped or lost; for who waits for something else than `signal`. */
  onAbort: ((reason: ConnectError) => void) | undefined;
  readonly #observer: CallObserver;
  readonly #abort = new LazyAbort();
  #failure: ConnectError | undefined;
  #stopReason: ConnectError | undefined;
  #isEnded = false;

  constructor(context: CallContext, observer: CallObserver) {
    this.context = context;
    this.isStream = context.method.methodKind !== 'unary';
    this.#observer = observer;
    observer.began(context);
  }

  /** Aborted when the caller goes away (`CALL_CANCELED`) and when the call is stopped; never because it ended well. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Tells the same without a signal being made. */
  get cancellation(): Cancellation {
    return this.#abort;
  }

  /** What the call fails with. */
  get failure(): ConnectError | undefined {
    return this.#failure;
  }

  /** Why the call is being stopped, once it is. */
  get stopReason(): ConnectError | undefined {
    return this.#stopReason;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Notes what the call fails with, and returns it as what to send: the first failure is the one that counts. */
  fail(error: unknown): ConnectError {
    this.#failure ??= toConnectError(error, this.context.requestId);
    return this.#failure;
  }

  /** Tells the handler to end, for `reason`. The call goes on until it does. */
  stop(reason: ConnectError): void {
    this.#stopReason ??= reason;
    this.#abortFor(this.#stopReason);
  }

  /** The answer has been sent. */
  finish(): void {
    this.#end(this.#failure);
  }

  /** The connection went away before the answer was sent: the caller's doing, unless the call was being stopped. */
  lose(): void {
    if (this.#isEnded) return;
    const lost = this.#failure ?? this.#stopReason ?? reasonError('CALL_CANCELED', 'The caller went away');
    this.#end(lost);
    this.#abortFor(lost);
  }

  #abortFor(reason: ConnectError): void {
    if (this.#abort.aborted) return;
    this.#abort.abort(reason);
    this.onAbort?.(reason);
  }

  #end(error: ConnectError | undefined): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#observer.ended(this.context, {
      code: error?.code,
      reason: error === undefined ? undefined : reasonOf(error),
      error,
    });
  }
}

/** Where the gate and the interceptor of the transport find the call. */
export const rpcCallKey = createContextKey<RpcCall | undefined>(undefined, {
  description: 'the call being served',
});
