import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RpcCall } from '../rpc-call.ts';
import { type Answer, failureAnswer } from './answer.ts';
import type { DirectExchange } from './exchange.ts';
import type { UnaryHead } from './unary-head.ts';

/** Serves a unary call that is a request of HTTP/1.1, whose length is known. */
export function serveHttp1Call(
  request: IncomingMessage,
  response: ServerResponse,
  head: UnaryHead,
  call: RpcCall,
  { serve, close }: DirectExchange,
): void {
  const chunks: Buffer[] = [];
  let isRead = false;

  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.once('end', () => {
    if (isRead) return;
    isRead = true;
    call.onAbort = undefined;
    const body = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
    void serve(head, call, body).then((answered) => {
      close(call);
      send(response, call, answered);
    });
  });
  // Whoever leaves makes these fire; 'close' is what we go by.
  request.on('error', ignore);
  response.on('error', ignore);
  response.once('finish', () => call.finish());
  response.once('close', () => {
    call.lose();
    if (!isRead) close(call);
    isRead = true;
  });
  // Who is stopped before all of the request has come does not wait for the rest; the connection cannot be used again.
  call.onAbort = (reason) => {
    if (isRead || call.isEnded) return;
    isRead = true;
    close(call);
    response.setHeader('connection', 'close');
    send(response, call, failureAnswer(head.wire, call.fail(reason)));
  };
}

function send(response: ServerResponse, call: RpcCall, { status, headers, body }: Answer): void {
  if (response.destroyed) return;
  response.writeHead(status, {
    ...headers,
    'x-request-id': call.context.requestId,
  });
  response.end(body);
}

function ignore(): void {}
