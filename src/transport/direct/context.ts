import { type ContextValues, createContextValues, type HandlerContext } from '@connectrpc/connect';
import type { Cancellation } from '../../domain/cancellation.ts';
import type { OperationOptions } from '../../domain/store.ts';
import { callContextKey } from '../../rpc/checks/call-context.ts';
import type { RpcCall } from '../rpc-call.ts';
import { toWebHeaders } from '../universal-request.ts';
import type { CallHead } from './head.ts';

/** What a handler may ask of its call, and the options of the operations that it calls; each thing is made when it is asked for. */
export class CallHandlerContext implements HandlerContext, OperationOptions {
  readonly requestMethod = 'POST';
  readonly #head: CallHead;
  readonly #call: RpcCall;
  #requestHeader: Headers | undefined;
  #values: ContextValues | undefined;
  #responseHeader: Headers | undefined;
  #responseTrailer: Headers | undefined;

  constructor(head: CallHead, call: RpcCall) {
    this.#head = head;
    this.#call = call;
  }

  get signal(): AbortSignal {
    return this.#call.signal;
  }

  get cancellation(): Cancellation {
    return this.#call.cancellation;
  }

  get method() {
    return this.#head.rpc.method;
  }

  get service() {
    return this.#head.rpc.method.parent;
  }

  get protocolName(): string {
    return this.#head.wire.protocol;
  }

  get url(): string {
    return this.#head.url;
  }

  get requestHeader(): Headers {
    this.#requestHeader ??= toWebHeaders(this.#head.headers);
    return this.#requestHeader;
  }

  /** Nothing of them is sent: no handler of ours has headers of its own. */
  get responseHeader(): Headers {
    this.#responseHeader ??= new Headers();
    return this.#responseHeader;
  }

  /** Nothing of them is sent. */
  get responseTrailer(): Headers {
    this.#responseTrailer ??= new Headers();
    return this.#responseTrailer;
  }

  get values(): ContextValues {
    this.#values ??= createContextValues().set(callContextKey, this.#call.context);
    return this.#values;
  }

  readonly timeoutMs = (): number | undefined => {
    const { deadlineMs } = this.#call;
    return deadlineMs === undefined ? undefined : deadlineMs - performance.now();
  };
}
