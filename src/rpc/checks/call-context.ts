// What is known of a call before its handler runs, whichever way it came: the checks of this folder are functions over it.
// The transport makes one for each call, and tells the observer when the call begins and how it ended.

import type { DescMethod } from '@bufbuild/protobuf';
import { type Code, createContextKey } from '@connectrpc/connect';

/** One call of one rpc. */
export interface CallContext {
  /** Identifies the call in logs and in the response header `x-request-id`. */
  readonly requestId: string;
  readonly method: DescMethod;
  readonly protocol: 'grpc' | 'grpc-web' | 'connect';
  /** The address of the other end of the connection. */
  readonly peer: string;
  /** When the call began, in milliseconds of the monotonic clock. */
  readonly startMs: number;
}

/** How a call ended. */
export interface CallOutcome {
  /** Undefined: it succeeded. */
  readonly code: Code | undefined;
  /** The reason of its error, where it failed. */
  readonly reason: string | undefined;
  /** What was thrown, with its causes, for the log. */
  readonly error: unknown;
}

/** Is told of every call, those included that fail before a handler runs. */
export interface CallObserver {
  began(call: CallContext): void;
  ended(call: CallContext, outcome: CallOutcome): void;
}

/** Where handlers and interceptors find the {@link CallContext}: `context.values.get(callContextKey)`. */
export const callContextKey = createContextKey<CallContext | undefined>(undefined, {
  description: 'the call context',
});
