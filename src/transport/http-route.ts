import type { IncomingHttpHeaders } from 'node:http';
import { reasonError } from '../rpc/checks/errors.ts';
import { answerErrorJson } from './error-answer.ts';
import type { Exchange } from './exchange.ts';

/** A GET or HEAD request of a plain route; a HEAD request is answered as a GET, and its body left out afterwards. */
export interface HttpRouteRequest {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
}

/** What a plain route answers. */
export interface HttpRouteAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Uint8Array;
}

/** Answers a plain route such as `/healthz`. What it throws is logged, and answered as INTERNAL. */
export type HttpRoute = (request: HttpRouteRequest) => Promise<HttpRouteAnswer>;

/** Answers a request of a plain route; any other method than GET and HEAD with 405. Rejects with what the route throws. */
export async function answerRoute(route: HttpRoute, exchange: Exchange): Promise<void> {
  const { request, response, path } = exchange;
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    return answerErrorJson(
      exchange,
      reasonError('REQUEST_MALFORMED', `${path} takes GET and HEAD only`),
      405,
    );
  }
  const { status, contentType, body } = await route({
    path,
    query: new URLSearchParams(exchange.query),
    headers: request.headers,
  });
  const headers = { 'content-type': contentType, 'cache-control': 'no-store' };
  await exchange.respond(status, headers, typeof body === 'string' ? Buffer.from(body) : body);
}
