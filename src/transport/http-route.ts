import type { IncomingHttpHeaders } from 'node:http';
import { reasonError } from '../rpc/checks/errors.ts';
import { answerErrorJson } from './error-answer.ts';
import { type Exchange, mayHaveBody } from './exchange.ts';

/** A GET or HEAD request of a plain route; a HEAD request is answered as a GET, and its body left out afterwards. */
export interface HttpRouteRequest {
  /** As it was sent, its percent-encoding included: only the route knows which of its slashes separate. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
}

/** What a plain route answers. */
export interface HttpRouteAnswer {
  readonly status: number;
  /** Neither this nor the body is sent with a status that has no body: 204 and 304. */
  readonly contentType: string;
  readonly body: string | Uint8Array;
  /** Further headers, their names in lower case. `cache-control` is `no-store` where it is not among them. */
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Answers a plain route such as `/healthz`. An error with a reason that it throws is answered as an rpc's would be in Connect's
 * JSON; anything else is logged, and answered as INTERNAL.
 */
export type HttpRoute = (request: HttpRouteRequest) => Promise<HttpRouteAnswer>;

/** Answers a request of a plain route; any other method than GET and HEAD with 405. Rejects with what the route throws. */
export async function answerRoute(route: HttpRoute, exchange: Exchange): Promise<void> {
  const { request, response, path } = exchange;
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    return answerErrorJson(
      exchange,
      reasonError('REQUEST_MALFORMED', 'This path takes GET and HEAD only'),
      405,
    );
  }
  const { status, contentType, body, headers } = await route({
    path,
    query: new URLSearchParams(exchange.query),
    headers: request.headers,
  });
  const fields = { 'cache-control': 'no-store', ...headers };
  if (!mayHaveBody(status)) return exchange.respond(status, fields);
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  await exchange.respond(status, { 'content-type': contentType, ...fields }, bytes);
}
