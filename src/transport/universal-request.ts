import type { IncomingHttpHeaders } from 'node:http';
import type { ContextValues } from '@connectrpc/connect';
import type { UniversalServerRequest } from '@connectrpc/connect/protocol';
import { reasonError } from '../rpc/checks/errors.ts';
import { isBoundlessTimeout } from './client-timeout.ts';
import { isEncrypted, type NodeRequest } from './node-http.ts';

/**
 * Returns a request in the form that the library's handlers take.
 *
 * Unlike connect-node's own conversion it takes the body, and a signal that is aborted only when the caller leaves. Throws
 * `REQUEST_MALFORMED` for a header that the web's Headers do not take.
 */
export function toUniversalRequest(
  request: NodeRequest,
  authority: string,
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  contextValues: ContextValues,
): UniversalServerRequest {
  return {
    httpVersion: request.httpVersion,
    method: request.method ?? '',
    url: `${isEncrypted(request) ? 'https' : 'http'}://${authority}${request.url ?? '/'}`,
    header: toWebHeaders(request.headers),
    body,
    signal,
    contextValues,
  };
}

/**
 * Returns headers as the web has them, without those of HTTP/2 itself, and without time-outs that are as good as none.
 *
 * Throws `REQUEST_MALFORMED` for one that the web's Headers do not take.
 */
export function toWebHeaders(given: IncomingHttpHeaders): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || name.startsWith(':')) continue;
    if (typeof value === 'string' && isBoundlessTimeout(name, value)) continue;
    append(headers, name, value);
  }
  return headers;
}

function append(headers: Headers, name: string, value: string | readonly string[]): void {
  try {
    for (const each of typeof value === 'string' ? [value] : value) headers.append(name, each);
  } catch (error) {
    throw reasonError(
      'REQUEST_MALFORMED',
      `The header ${name} has characters that headers cannot have`,
      {},
      error,
    );
  }
}
