import type { ServerHttp2Stream } from 'node:http2';
import type { RpcCall } from '../rpc-call.ts';
import { stopUnreadStream } from '../unread-body.ts';
import { type Answer, failureAnswer } from './answer.ts';
import { ENVELOPE_BYTES } from './envelope.ts';
import type { DirectExchange } from './exchange.ts';
import type { UnaryHead } from './unary-head.ts';

/** Serves a unary call that is a stream of HTTP/2. */
export function serveHttp2Call(
  stream: ServerHttp2Stream,
  head: UnaryHead,
  call: RpcCall,
  { serve, close, maxRequestBytes }: DirectExchange,
): void {
  const chunks: Buffer[] = [];
  let size = 0;
  let isRead = false;

  function answer(): void {
    if (isRead) return;
    isRead = true;
    call.onAbort = undefined;
    const body = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, size);
    void serve(head, call, body).then((answered) => {
      close(call);
      send(stream, call, answered);
    });
  }

  stream.on('data', (chunk: Buffer) => {
    if (isRead) return;
    chunks.push(chunk);
    size += chunk.byteLength;
    if (size > maxRequestBytes + ENVELOPE_BYTES) answer();
  });
  stream.once('end', answer);
  // Whoever leaves makes this fire; 'close' is what we go by.
  stream.on('error', ignore);
  stream.once('close', () => {
    if (stream.writableEnded && stream.rstCode === 0) call.finish();
    else call.lose();
    if (!isRead) close(call);
    isRead = true;
  });
  // Who is stopped before all of the request has come does not wait for the rest.
  call.onAbort = (reason) => {
    if (isRead || call.isEnded) return;
    isRead = true;
    close(call);
    send(stream, call, failureAnswer(head.wire, call.fail(reason)));
  };
}

function send(stream: ServerHttp2Stream, call: RpcCall, { status, headers, body, trailers }: Answer): void {
  if (stream.destroyed || stream.closed || stream.headersSent) return;
  if (!stream.readableEnded) stopUnreadStream(stream);
  const fields: Record<string, string | number> = {
    ':status': status,
    ...headers,
    'x-request-id': call.context.requestId,
  };
  if (trailers === undefined) {
    stream.respond(fields);
    stream.end(body);
  } else {
    stream.respond(fields, { waitForTrailers: true });
    stream.once('wantTrailers', () => stream.sendTrailers(trailers));
    stream.end(body);
  }
}

function ignore(): void {}
