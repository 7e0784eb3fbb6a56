import type { HandlerContext, Interceptor } from '@connectrpc/connect';
import { reasonOf, toConnectError } from '../rpc/checks/errors.ts';
import { type RpcCall, rpcCallKey } from './rpc-call.ts';

/** What a handler throws, or is taken to have thrown, when it is told to stop and has nothing better to say. */
const EMPTY_REASONS: ReadonlySet<string | undefined> = new Set([undefined, 'CALL_CANCELED', 'INTERNAL']);

/**
 * Returns the interceptor that must be outermost: it notes what a call fails with, and ends the streams that are stopped.
 *
 * A stream that is stopped ends with the reason that it was stopped for, whether its handler throws that or simply returns;
 * a handler that has more to say (a resume token) throws its own error.
 */
export function createCallInterceptor(): Interceptor {
  return (next) => async (request) => {
    const call = request.contextValues.get(rpcCallKey);
    if (call === undefined) return next(request);
    try {
      const response = await next(request);
      call.isAnswered = true;
      return response.stream ? { ...response, message: watched(response.message, call) } : response;
    } catch (error) {
      throw noteFailure(call, error);
    }
  };
}

/**
 * Is the library's gate, before the body of a call is read. Throws the reason why a call is not admitted; one that is has its body
 * cut when its deadline passes or it is stopped.
 */
export function admitCall({ values, signal }: HandlerContext): void {
  const call = values.get(rpcCallKey);
  if (call === undefined) return;
  if (call.refusal !== undefined) throw call.fail(call.refusal);
  const cutBody = () => call.body?.cut(signal.reason);
  if (signal.aborted) cutBody();
  else signal.addEventListener('abort', cutBody, { once: true });
}

async function* watched<T>(messages: AsyncIterable<T>, call: RpcCall): AsyncGenerator<T> {
  try {
    yield* messages;
  } catch (error) {
    throw noteFailure(call, error);
  }
  if (call.stopReason !== undefined) throw call.fail(call.stopReason);
}

/** Notes what a call fails with, and returns it: what its handler threw, or why it was stopped where that says no more. */
export function noteFailure(call: RpcCall, error: unknown): unknown {
  const { stopReason } = call;
  if (stopReason === undefined) return call.fail(error);
  const said = toConnectError(error, call.context.requestId);
  return call.fail(EMPTY_REASONS.has(reasonOf(said)) ? stopReason : said);
}
