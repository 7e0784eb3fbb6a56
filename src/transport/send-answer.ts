import type { UniversalServerResponse } from '@connectrpc/connect/protocol';
import type { Exchange } from './exchange.ts';
import { toHeaderFields } from './node-http.ts';
import type { ErrorRewriter } from './protocol-errors.ts';
import type { RpcCall } from './rpc-call.ts';
import { untilDrained } from './until-drained.ts';

/**
 * Sends what a handler of the library answers. Each message leaves as soon as it is there, the headers with the first one; the
 * next is asked for only when the connection takes more.
 *
 * Returns early when the connection is gone: then the handler is told through its signal and through its generator.
 */
export async function sendAnswer(
  answer: UniversalServerResponse,
  exchange: Exchange,
  call: RpcCall,
  rewriter: ErrorRewriter,
): Promise<void> {
  const { response } = exchange;
  const { status, header, body, trailer } = await rewriter.answer(answer);
  const messages = body?.[Symbol.asyncIterator]();
  let next = await messages?.next();
  if (call.isEnded) return abandon(messages, call);
  exchange.begin(status, toHeaderFields(header));
  while (messages !== undefined && next?.done === false) {
    if (!response.write(rewriter.chunk(next.value))) await untilDrained(response);
    if (call.isEnded) return abandon(messages, call);
    next = await messages.next();
    if (call.isEnded) return abandon(messages, call);
  }
  if (trailer !== undefined) {
    rewriter.trailer(trailer);
    response.addTrailers(toHeaderFields(trailer));
  }
  await exchange.finish();
}

/** Ends the generator of a handler, which may wait for its message to be taken. */
async function abandon(messages: AsyncIterator<Uint8Array> | undefined, call: RpcCall): Promise<void> {
  // It throws what it is given, unless the handler throws something else: nobody is left to be told.
  await messages?.throw?.(call.signal.reason).catch(() => {});
}
