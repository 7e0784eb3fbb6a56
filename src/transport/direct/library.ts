import { createContextValues } from '@connectrpc/connect';
import { callContextKey } from '../../rpc/checks/call-context.ts';
import { createErrorRewriter, explainUndecodable } from '../protocol-errors.ts';
import { type RpcCall, rpcCallKey } from '../rpc-call.ts';
import { toWebHeaders } from '../universal-request.ts';
import type { CallHead } from './head.ts';
import type { Outlet } from './outlet.ts';

/** Answers a call whose body has come with the library's own handler. */
export async function answerByLibrary(
  head: CallHead,
  call: RpcCall,
  body: Buffer,
  outlet: Outlet,
): Promise<void> {
  const rewriter = createErrorRewriter(call);
  const sent = {
    httpVersion: head.httpVersion,
    method: 'POST',
    url: head.url,
    header: toWebHeaders(head.headers),
    body: chunksOf(body),
    signal: call.signal,
    contextValues: createContextValues().set(callContextKey, call.context).set(rpcCallKey, call),
  };
  const answered = head.rpc.byLibrary(sent).catch((error: unknown) => {
    throw call.failure === undefined ? explainUndecodable(error) : error;
  });
  const { status, header, trailer, ...answer } = await rewriter.answer(await answered);
  function begin(): void {
    if (outlet.hasBegun) return;
    const headers = [...(header ?? [])].flat();
    outlet.begin(status, [...headers, 'x-request-id', call.context.requestId]);
  }
  for await (const chunk of answer.body ?? []) {
    if (call.isEnded) return;
    begin();
    if (!outlet.write([rewriter.chunk(chunk)])) await outlet.untilWritable();
  }
  begin();
  if (trailer !== undefined) rewriter.trailer(trailer);
  outlet.end(undefined, trailer && [...trailer].flat());
}

async function* chunksOf(body: Buffer): AsyncGenerator<Uint8Array> {
  if (body.byteLength > 0) yield body;
}
