import { Code } from '@connectrpc/connect';
import type { UniversalHandler } from '@connectrpc/connect/protocol';
import { reasonError, toConnectError } from '../rpc/checks/errors.ts';
import { authorityOf } from './authority.ts';
import { createCorsHeaders } from './cors.ts';
import { answerError, answerErrorJson } from './error-answer.ts';
import { Exchange, type ExchangePolicy } from './exchange.ts';
import { createRouteFinder } from './find-route.ts';
import type { FindHttpCall, HttpCall } from './http-call.ts';
import { answerRoute, type HttpRoute } from './http-route.ts';
import type { Log } from './log.ts';
import type { NodeHandler, NodeRequest } from './node-http.ts';
import type { RequestIds } from './request-id.ts';

/** Longest path that an error quotes, in characters. */
const MAX_QUOTED_CHARS = 200;

/** Serves one call of an rpc; with `httpCall`: one that came by plain HTTP. */
export type RpcServer = (
  rpc: UniversalHandler,
  authority: string,
  exchange: Exchange,
  httpCall?: HttpCall,
) => Promise<void>;

/** What {@link createRequestHandler} needs. */
export interface RequestHandlerOptions {
  /** The rpcs by their path, such as `/concord.kv.v1.KvService/Get`. */
  readonly rpcs: ReadonlyMap<string, UniversalHandler>;
  readonly serveRpc: RpcServer;
  /** See {@link createRouteFinder}; an rpc goes before any of them. */
  readonly httpRoutes: ReadonlyMap<string, HttpRoute>;
  /** Finds the rpc of a request that is neither. */
  readonly findHttpCall: FindHttpCall;
  readonly corsOrigins: readonly string[] | '*';
  readonly policy: ExchangePolicy;
  readonly requestIdOf: RequestIds;
  readonly log: Log;
}

/** Returns what answers every request, rpcs and plain routes alike. It never throws. */
export function createRequestHandler(options: RequestHandlerOptions): NodeHandler {
  const { rpcs, serveRpc, findHttpCall, requestIdOf, log } = options;
  const findRoute = createRouteFinder(options.httpRoutes);
  const putCorsHeaders = createCorsHeaders(options.corsOrigins);

  async function answer(exchange: Exchange): Promise<void> {
    const { request, response, path } = exchange;
    if (putCorsHeaders(request, response)) return;
    const authority = authorityOf(request);
    const rpc = rpcs.get(path);
    const route = rpc === undefined ? findRoute(path) : undefined;
    if (route !== undefined && (authority !== undefined || mayOmitHost(request))) {
      return answerRoute(route, exchange);
    }
    if (authority === undefined) {
      const message =
        'The request names no valid host; send a Host header or :authority of the form host:port';
      if (request.httpVersionMajor === 1) response.setHeader('connection', 'close');
      return answerErrorJson(exchange, reasonError('REQUEST_MALFORMED', message), 400);
    }
    if (rpc !== undefined) return serveRpc(rpc, authority, exchange);
    const found = findHttpCall(request.method ?? '', path);
    if (found !== undefined && 'allow' in found) {
      response.setHeader('allow', found.allow.join(', '));
      const message = `The path takes ${found.allow.join(', ')} only`;
      return answerErrorJson(exchange, reasonError('REQUEST_MALFORMED', message), 405);
    }
    const called = found && rpcs.get(found.rpcPath);
    if (called !== undefined) return serveRpc(called, authority, exchange, found);
    const message = `There is no rpc ${path.slice(0, MAX_QUOTED_CHARS)} here; check service and method name`;
    return answerError(exchange, reasonError('NOT_SUPPORTED', message), 404);
  }

  async function answerFailure(exchange: Exchange, error: unknown): Promise<void> {
    const { response, requestId, path } = exchange;
    const sent = toConnectError(error, requestId);
    if (sent.code === Code.Internal) log.error({ error, requestId, path }, 'a request could not be answered');
    if (response.headersSent) response.destroy();
    else await answerError(exchange, sent);
  }

  return (request, response) => {
    // Whoever leaves while something is read or written makes these fire; 'close' is what we go by.
    request.on('error', () => {});
    response.on('error', () => {});
    const exchange = new Exchange(
      request,
      response,
      requestIdOf(request.headers['x-request-id']),
      options.policy,
    );
    answer(exchange)
      .catch((error: unknown) => answerFailure(exchange, error))
      .catch((error: unknown) => {
        log.error({ error, requestId: exchange.requestId }, 'a failure could not be answered');
        response.destroy();
      });
  };
}

/** HTTP/1.0 has no Host header; load balancers' probes still speak it. */
function mayOmitHost(request: NodeRequest): boolean {
  return request.httpVersion === '1.0' && request.headers.host === undefined;
}
