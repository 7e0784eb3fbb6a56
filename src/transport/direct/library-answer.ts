import { createContextValues } from '@connectrpc/connect';
import { callContextKey } from '../../rpc/checks/call-context.ts';
import { toHeaderFields } from '../node-http.ts';
import { createErrorRewriter } from '../protocol-errors.ts';
import { type RpcCall, rpcCallKey } from '../rpc-call.ts';
import { toWebHeaders } from '../universal-request.ts';
import type { Answer } from './answer.ts';
import type { UnaryHead } from './unary-head.ts';

/** Answers a call whose body has come with the library's own handler. */
export async function answerByLibrary(head: UnaryHead, call: RpcCall, body: Buffer): Promise<Answer> {
  const answer = await head.rpc.byLibrary({
    httpVersion: head.httpVersion,
    method: 'POST',
    url: head.url,
    header: toWebHeaders(head.headers),
    body: chunksOf(body),
    signal: call.signal,
    contextValues: createContextValues().set(callContextKey, call.context).set(rpcCallKey, call),
  });
  const rewriter = createErrorRewriter(call);
  const explained = await rewriter.answer(answer);
  const chunks: Uint8Array[] = [];
  for await (const chunk of explained.body ?? []) chunks.push(rewriter.chunk(chunk));
  if (explained.trailer !== undefined) rewriter.trailer(explained.trailer);
  return {
    status: explained.status,
    headers: toHeaderFields(explained.header),
    body: Buffer.concat(chunks),
    trailers: explained.trailer && toHeaderFields(explained.trailer),
  };
}

async function* chunksOf(body: Buffer): AsyncGenerator<Uint8Array> {
  if (body.byteLength > 0) yield body;
}
