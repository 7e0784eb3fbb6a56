import { gunzipSync } from 'node:zlib';
import { Code, ConnectError } from '@connectrpc/connect';
import { compressedFlag, encodeEnvelope, type UniversalServerResponse } from '@connectrpc/connect/protocol';
import {
  codeToHttpStatus,
  endStreamFlag,
  endStreamFromJson,
  endStreamToJson,
  errorFromJsonBytes,
  errorToJsonBytes,
} from '@connectrpc/connect/protocol-connect';
import { findTrailerError, setTrailerStatus } from '@connectrpc/connect/protocol-grpc';
import { trailerFlag, trailerParse, trailerSerialize } from '@connectrpc/connect/protocol-grpc-web';
import { reasonError, reasonOf, withReason } from '../rpc/checks/errors.ts';
import { respellMessage } from './grpc-status.ts';
import type { RpcCall } from './rpc-call.ts';

/** How much of the library's message is kept, in characters: it quotes the request, and gRPC's travels in a header. */
const MAX_MESSAGE_CHARS = 512;
const ENVELOPE_BYTES = 5;
const MAX_ERROR_BYTES = 1 << 20;

/**
 * Looks at an answer on its way out, so that the errors which the library raises itself leave with a reason as well.
 *
 * The library answers what it cannot decode before any interceptor runs; only the encoded answer shows it. An answer
 * without error, or with an error that went through the interceptor, costs one comparison.
 */
export interface ErrorRewriter {
  /** Returns what to send instead of a whole answer that is an error. To be called before the headers leave. */
  answer(answer: UniversalServerResponse): Promise<UniversalServerResponse>;
  /** Returns what to send instead of one chunk of the body, which is one envelope in all protocols that have envelopes. */
  chunk(bytes: Uint8Array): Uint8Array;
  /** Changes the trailers, once all of the body is known. */
  trailer(trailer: Headers): void;
}

/** Returns the rewriter for the protocol of a call. */
export function createErrorRewriter(call: RpcCall): ErrorRewriter {
  switch (call.context.protocol) {
    case 'grpc':
      return { answer: asItIs, chunk: same, trailer: (trailer) => explainTrailer(trailer, call) };
    case 'grpc-web':
      return { answer: asItIs, chunk: (bytes) => explainTrailerFrame(bytes, call), trailer: nothing };
    case 'connect':
      return call.isStream
        ? { answer: asItIs, chunk: (bytes) => explainEndOfStream(bytes, call), trailer: nothing }
        : { answer: (answer) => explainUnary(answer, call), chunk: same, trailer: nothing };
  }
}

/**
 * Returns the error to send instead of one that the library sends, or undefined where it is to leave as it is.
 *
 * After the handler has answered, what goes wrong is the answer: too large, or not encodable, which is a fault of ours.
 */
export function explain(sent: ConnectError, call: RpcCall): ConnectError | undefined {
  if (call.failure !== undefined) return undefined;
  if (reasonOf(sent) !== undefined) {
    call.fail(sent);
    return undefined;
  }
  if (call.isAnswered && sent.code !== Code.ResourceExhausted) {
    const message = `Internal fault; the server's log has the cause under request ${call.context.requestId}`;
    return call.fail(reasonError('INTERNAL', message, { request_id: call.context.requestId }, sent));
  }
  return call.fail(withReason(readable(sent)));
}

/**
 * Returns what a call fails with where the library threw instead of answering: it cannot write its own error into a header where
 * that quotes half a character of the request.
 */
export function explainUndecodable(error: unknown): unknown {
  if (!(error instanceof URIError)) return error;
  return reasonError('REQUEST_MALFORMED', 'The request could not be decoded; check its encoding', {}, error);
}

function readable(sent: ConnectError): ConnectError {
  const isHidden = sent.rawMessage === 'internal error' || sent.rawMessage === '';
  const message = isHidden ? 'The request could not be decoded; check its encoding' : sent.rawMessage;
  return new ConnectError(message.slice(0, MAX_MESSAGE_CHARS), sent.code, undefined, undefined, sent);
}

function explainTrailer(trailer: Headers, call: RpcCall): void {
  if (trailer.get('grpc-status') === '0') return;
  const sent = findTrailerError(trailer);
  const explained = sent === undefined ? undefined : explain(sent, call);
  if (explained !== undefined) setTrailerStatus(trailer, explained);
  respellMessage(trailer);
}

function explainTrailerFrame(bytes: Uint8Array, call: RpcCall): Uint8Array {
  if (!hasFlag(bytes, trailerFlag)) return bytes;
  const trailer = trailerParse(envelopeContent(bytes));
  explainTrailer(trailer, call);
  return call.failure === undefined ? bytes : encodeEnvelope(trailerFlag, trailerSerialize(trailer));
}

function explainEndOfStream(bytes: Uint8Array, call: RpcCall): Uint8Array {
  if (!hasFlag(bytes, endStreamFlag) || call.failure !== undefined) return bytes;
  const { metadata, error } = endStreamFromJson(envelopeContent(bytes));
  const explained = error === undefined ? undefined : explain(error, call);
  if (explained === undefined) return bytes;
  const json = JSON.stringify(endStreamToJson(metadata, explained, undefined));
  return encodeEnvelope(endStreamFlag, new TextEncoder().encode(json));
}

async function explainUnary(
  answer: UniversalServerResponse,
  call: RpcCall,
): Promise<UniversalServerResponse> {
  if (answer.status === 200 || call.failure !== undefined || answer.body === undefined) return answer;
  const header = new Headers(answer.header);
  const body = await decodedBody(answer.body, header.get('content-encoding') === 'gzip');
  const fallback = new ConnectError('', Code.Internal);
  const explained = explain(errorFromJsonBytes(body, undefined, fallback), call);
  if (explained === undefined) return { ...answer, body: once(body), header: identity(header, body) };
  const json = errorToJsonBytes(explained, undefined);
  return { status: codeToHttpStatus(explained.code), body: once(json), header: identity(header, json) };
}

function identity(header: Headers, body: Uint8Array): Headers {
  header.delete('content-encoding');
  header.set('content-length', String(body.byteLength));
  return header;
}

async function decodedBody(body: AsyncIterable<Uint8Array>, isGzip: boolean): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  return isGzip ? gunzipSync(bytes, { maxOutputLength: MAX_ERROR_BYTES }) : bytes;
}

function envelopeContent(bytes: Uint8Array): Uint8Array {
  const content = bytes.subarray(ENVELOPE_BYTES);
  return hasFlag(bytes, compressedFlag) ? gunzipSync(content, { maxOutputLength: MAX_ERROR_BYTES }) : content;
}

function hasFlag(bytes: Uint8Array, flag: number): boolean {
  return ((bytes[0] ?? 0) & flag) === flag;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function asItIs(answer: UniversalServerResponse): Promise<UniversalServerResponse> {
  return Promise.resolve(answer);
}

function same(bytes: Uint8Array): Uint8Array {
  return bytes;
}

function nothing(): void {}
