import type { ConnectError } from '@connectrpc/connect';
import { codeToHttpStatus, errorToJsonBytes } from '@connectrpc/connect/protocol-connect';
import { wireOf } from './direct/wire.ts';
import type { Exchange } from './exchange.ts';
import { grpcStatus } from './grpc-status.ts';
import { type NodeRequest, toHeaderFields } from './node-http.ts';

const GRPC_CONTENT_TYPE = /^application\/grpc(-web)?(?:-text)?(?:[+;]|$)/i;

/** Returns the protocol that a request speaks, going by its content type. */
export function protocolOf(request: NodeRequest): 'grpc' | 'grpc-web' | 'connect' {
  const match = GRPC_CONTENT_TYPE.exec(contentTypeOf(request));
  if (match === null) return 'connect';
  return match[1] === undefined ? 'grpc' : 'grpc-web';
}

/** Over HTTP/2 it may come with spaces around it, which the library does not mind. */
function contentTypeOf({ headers }: NodeRequest): string {
  return headers['content-type']?.trim() ?? '';
}

/**
 * Answers with an error in the form of the protocol that the caller speaks: for gRPC and gRPC-Web a status without a body, whose content
 * type has the codec of the request, or protobuf where that is none of ours; for everything else the JSON of Connect. `status` is for the latter, and defaults to the HTTP
 * status of the error's code.
 */
export async function answerError(exchange: Exchange, error: ConnectError, status?: number): Promise<void> {
  const { request } = exchange;
  const protocol = protocolOf(request);
  if (protocol === 'connect') return answerErrorJson(exchange, error, status);
  const { contentType = `application/${protocol}+proto` } = wireOf(contentTypeOf(request)) ?? {};
  await exchange.respond(200, { 'content-type': contentType, ...toHeaderFields(grpcStatus(error)) });
}

/** Answers with an error as Connect's JSON, whatever the caller speaks. */
export async function answerErrorJson(
  exchange: Exchange,
  error: ConnectError,
  status?: number,
): Promise<void> {
  const body = errorToJsonBytes(error, undefined);
  await exchange.respond(
    status ?? codeToHttpStatus(error.code),
    { 'content-type': 'application/json' },
    body,
  );
}

/**
 * Returns an error as the bytes of a whole HTTP/1.1 response that ends its connection, for where there is no request to respond to.
 *
 * @param statusLine such as `400 Bad Request`.
 */
export function rawErrorAnswer(statusLine: string, error: ConnectError): string {
  const body = new TextDecoder().decode(errorToJsonBytes(error, undefined));
  const head = [
    'connection: close',
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  return [`HTTP/1.1 ${statusLine}`, ...head, '', body].join('\r\n');
}
