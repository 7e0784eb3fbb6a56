// Rpcs that are called by plain HTTP: what is asked is made a call of Connect in JSON, so that it goes the way of all calls; what
// is answered is its JSON, and of a stream a line or an event a message.

import type { ConnectError } from '@connectrpc/connect';
import type { UniversalServerRequest, UniversalServerResponse } from '@connectrpc/connect/protocol';
import { encodeEnvelope } from '@connectrpc/connect/protocol';
import {
  codeToHttpStatus,
  endStreamFlag,
  endStreamFromJson,
  errorToJson,
} from '@connectrpc/connect/protocol-connect';
import { reasonError } from '../rpc/checks/errors.ts';
import { answerErrorJson } from './error-answer.ts';
import type { Exchange } from './exchange.ts';
import type { ErrorRewriter } from './protocol-errors.ts';
import type { RpcCall } from './rpc-call.ts';
import { sendAnswer } from './send-answer.ts';

/** A call that was found for a method and a path. */
export interface HttpCall {
  /** Such as `/concord.kv.v1.KvService/Get`. */
  readonly rpcPath: string;
  /** Returns the request as JSON. Throws a ConnectError. */
  request(input: {
    readonly query: URLSearchParams;
    readonly body: Uint8Array;
    readonly lastEventId: string | undefined;
  }): string;
  /** Returns what is answered in place of the rpc's own JSON. Default: that. */
  readonly answer?: ((status: number, json: string) => Answer) | undefined;
}

/** A whole answer in JSON. */
export interface Answer {
  readonly status: number;
  readonly json: string;
}

/** Finds a call; with `allow`: the path takes other methods; undefined: it is the path of none. */
export type FindHttpCall = (
  httpMethod: string,
  path: string,
) => HttpCall | { readonly allow: readonly string[] } | undefined;

const ENVELOPE_BYTES = 5;
const JSON_TYPE = 'application/json';
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const AS_IT_IS: ErrorRewriter = {
  answer: (answer) => Promise.resolve(answer),
  chunk: (bytes) => bytes,
  trailer() {},
};

/** Returns the call as the library's handlers take it. Throws REQUEST_TOO_LARGE or REQUEST_MALFORMED. */
export async function toConnectRequest(
  request: UniversalServerRequest,
  call: RpcCall,
  {
    query,
    httpCall,
    maxBytes,
  }: { readonly query: string; readonly httpCall: HttpCall; readonly maxBytes: number },
): Promise<UniversalServerRequest> {
  const header = new Headers(request.header);
  const body = await readAll(call, header, maxBytes);
  const lastEventId = header.get('last-event-id') ?? undefined;
  const message = encoder.encode(httpCall.request({ query: new URLSearchParams(query), body, lastEventId }));
  header.set('content-type', call.isStream ? 'application/connect+json' : JSON_TYPE);
  header.set('connect-protocol-version', '1');
  for (const name of [
    'content-length',
    'content-encoding',
    'connect-content-encoding',
    'connect-accept-encoding',
  ])
    header.delete(name);
  if (httpCall.answer !== undefined) header.delete('accept-encoding');
  return {
    ...request,
    method: 'POST',
    url: new URL(httpCall.rpcPath, request.url).href,
    header,
    body: once(call.isStream ? encodeEnvelope(0, message) : message),
  };
}

/** Sends what the handler of a unary call answers. */
export async function sendJson(
  answer: UniversalServerResponse,
  httpCall: HttpCall,
  exchange: Exchange,
  call: RpcCall,
  rewriter: ErrorRewriter,
): Promise<void> {
  if (httpCall.answer === undefined) return sendAnswer(answer, exchange, call, rewriter);
  const { status, body } = await rewriter.answer(answer);
  const chunks: Uint8Array[] = [];
  for await (const chunk of body ?? []) chunks.push(chunk);
  if (call.isEnded) return;
  const shown = httpCall.answer(status, Buffer.concat(chunks).toString());
  await exchange.respond(shown.status, { 'content-type': JSON_TYPE }, encoder.encode(shown.json));
}

/** Sends why a call could not be made. */
export async function sendFailure(
  failure: ConnectError,
  { answer }: HttpCall,
  exchange: Exchange,
): Promise<void> {
  const status = codeToHttpStatus(failure.code);
  const shown = answer?.(status, JSON.stringify(errorToJson(failure, undefined)));
  if (shown === undefined) return answerErrorJson(exchange, failure);
  await exchange.respond(shown.status, { 'content-type': JSON_TYPE }, encoder.encode(shown.json));
}

/** Sends what the handler of a stream answers: as events (`text/event-stream`), or a line of JSON a message. */
export async function sendLines(
  answer: UniversalServerResponse,
  exchange: Exchange,
  call: RpcCall,
  rewriter: ErrorRewriter,
): Promise<void> {
  const isEvents = /\btext\/event-stream\b/.test(exchange.request.headers.accept ?? '');
  const envelopes = (answer.body ?? once(new Uint8Array()))[Symbol.asyncIterator]();
  const first = await envelopes.next();
  const failure = first.done ? undefined : failureIn(rewriter.chunk(first.value));
  // Nothing was sent yet: it fails as other calls do.
  if (failure !== undefined) return answerErrorJson(exchange, failure);
  const header = new Headers({
    'content-type': isEvents ? 'text/event-stream' : 'application/x-ndjson',
    'cache-control': 'no-store',
    // What proxies would gather is wanted at once.
    'x-accel-buffering': 'no',
  });
  async function* lines(): AsyncGenerator<Uint8Array> {
    try {
      for (let next = first; !next.done; next = await envelopes.next()) {
        const line = lineOf(rewriter.chunk(next.value), isEvents);
        if (line !== '') yield encoder.encode(line);
      }
    } finally {
      await envelopes.return?.();
    }
  }
  await sendAnswer({ status: 200, header, body: lines() }, exchange, call, AS_IT_IS);
}

/** An envelope as it is shown: a message, or why the stream ended before its time. */
function lineOf(envelope: Uint8Array, isEvents: boolean): string {
  const failure = failureIn(envelope);
  if (failure !== undefined) {
    const json = JSON.stringify(errorToJson(failure, undefined));
    return isEvents ? `event: failure\ndata: ${json}\n\n` : `{"error":${json}}\n`;
  }
  if (isEndOfStream(envelope)) return '';
  const json = decoder.decode(envelope.subarray(ENVELOPE_BYTES));
  if (!isEvents) return `${json}\n`;
  const { resumeToken } = JSON.parse(json) as { readonly resumeToken?: unknown };
  // A browser that comes back sends the last id, which is where it goes on.
  const id = typeof resumeToken === 'string' ? `id: ${resumeToken}\n` : '';
  return `${id}data: ${json}\n\n`;
}

function failureIn(envelope: Uint8Array) {
  return isEndOfStream(envelope) ? endStreamFromJson(envelope.subarray(ENVELOPE_BYTES)).error : undefined;
}

function isEndOfStream(envelope: Uint8Array): boolean {
  return ((envelope[0] ?? 0) & endStreamFlag) === endStreamFlag;
}

async function readAll({ body }: RpcCall, header: Headers, maxBytes: number): Promise<Uint8Array> {
  const encoding = header.get('content-encoding') ?? 'identity';
  if (encoding !== 'identity')
    throw reasonError('REQUEST_MALFORMED', 'The body is compressed; send it as it is');
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.byteLength;
    if (size > maxBytes) {
      const message = `The request is larger than the ${maxBytes} bytes that are taken`;
      throw reasonError('REQUEST_TOO_LARGE', message, { limit_bytes: String(maxBytes) });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
