import { cors } from '@connectrpc/connect';
import type { NodeRequest, NodeResponse } from './node-http.ts';

const ALLOWED_METHODS = [...cors.allowedMethods, 'HEAD', 'PUT', 'DELETE'].join(', ');
const ALLOWED_HEADERS = list(
  ...cors.allowedHeaders,
  'Authorization',
  'X-Request-Id',
  'X-User-Agent',
  'Grpc-Timeout',
  'Last-Event-ID',
);
const EXPOSED_HEADERS = list(...cors.exposedHeaders, 'X-Request-Id', 'Grpc-Status-Details-Bin');

/** How long a browser may remember a preflight's answer, in seconds: what Chromium takes at most. */
const MAX_AGE_SECONDS = 7200;

/**
 * Puts the CORS headers on a response. Returns true where the request was a preflight and is answered with that.
 *
 * An origin that is not allowed gets none of them, so that the browser keeps the answer from the page.
 */
export type CorsHeaders = (request: NodeRequest, response: NodeResponse) => boolean;

/** Returns the CORS headers for pages of the given origins; `*` stands for all of them. */
export function createCorsHeaders(origins: readonly string[] | '*'): CorsHeaders {
  const allowed = new Set(origins === '*' ? [] : origins);
  const anyOrigin = origins === '*' || allowed.has('*');

  function allowOrigin(origin: string | undefined, response: NodeResponse): boolean {
    if (!anyOrigin && allowed.size > 0) response.setHeader('vary', 'Origin');
    if (origin === undefined || !(anyOrigin || allowed.has(origin))) return false;
    response.setHeader('access-control-allow-origin', anyOrigin ? '*' : origin);
    return true;
  }

  return (request, response) => {
    const { origin } = request.headers;
    const isAllowed = allowOrigin(origin, response);
    if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined) {
      if (isAllowed) response.setHeader('access-control-expose-headers', EXPOSED_HEADERS);
      return false;
    }
    if (isAllowed) {
      response.setHeader('access-control-allow-methods', ALLOWED_METHODS);
      response.setHeader('access-control-allow-headers', ALLOWED_HEADERS);
      response.setHeader('access-control-max-age', String(MAX_AGE_SECONDS));
    }
    response.writeHead(204);
    response.end();
    return true;
  };
}

function list(...names: readonly string[]): string {
  return [...new Map(names.map((name) => [name.toLowerCase(), name])).values()].join(', ');
}
