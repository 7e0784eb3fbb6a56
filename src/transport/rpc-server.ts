import { type ConnectRouter, createConnectRouter, createContextValues } from '@connectrpc/connect';
import type { UniversalHandler } from '@connectrpc/connect/protocol';
import { compressionGzip } from '@connectrpc/connect-node';
import { type CallObserver, callContextKey } from '../rpc/checks/call-context.ts';
import { createChecks } from '../rpc/checks/checks.ts';
import { reasonError } from '../rpc/checks/errors.ts';
import type { Validate } from '../rpc/checks/validation.ts';
import { admitCall, createCallInterceptor } from './call-interceptor.ts';
import { giveTimeout } from './client-timeout.ts';
import { type DirectRpc, registerRoutes } from './direct/rpcs.ts';
import { answerErrorJson, protocolOf } from './error-answer.ts';
import type { Exchange } from './exchange.ts';
import { sendFailure, sendJson, sendLines, toConnectRequest } from './http-call.ts';
import type { OpenCalls } from './open-calls.ts';
import { createErrorRewriter, explainUndecodable } from './protocol-errors.ts';
import { RequestBody } from './request-body.ts';
import type { RpcServer } from './request-handler.ts';
import { RpcCall, rpcCallKey } from './rpc-call.ts';
import { sendAnswer } from './send-answer.ts';
import { toUniversalRequest } from './universal-request.ts';

/** Messages below this size are sent as they are: 16 KiB. Compressing them costs more than it saves. */
export const COMPRESS_MIN_BYTES = 16 * 1024;

/** What {@link createRpcs} needs. */
export interface RpcOptions {
  readonly routes: (router: ConnectRouter) => void;
  readonly validate: Validate;
  readonly maxRequestBytes: number;
  readonly maxResponseBytes: number;
}

/** Rpcs by their path. */
export interface Rpcs {
  readonly all: ReadonlyMap<string, UniversalHandler>;
  /** Those that can be served past the library. */
  readonly direct: ReadonlyMap<string, DirectRpc>;
}

/** Returns the rpcs of some routes. */
export function createRpcs(options: RpcOptions): Rpcs {
  const router = createConnectRouter({
    interceptors: [createCallInterceptor(), createChecks(options.validate)],
    requestGate: admitCall,
    acceptCompression: [compressionGzip],
    compressMinBytes: COMPRESS_MIN_BYTES,
    jsonOptions: { ignoreUnknownFields: false },
    readMaxBytes: options.maxRequestBytes,
    writeMaxBytes: options.maxResponseBytes,
  });
  const direct = registerRoutes(router, options.routes);
  return { all: new Map(router.handlers.map((rpc) => [rpc.requestPath, rpc])), direct };
}

/** What {@link createRpcServer} needs. */
export interface RpcServerOptions {
  readonly calls: OpenCalls;
  readonly observer: CallObserver;
  /** Of a call by plain HTTP; the library has the same for all others. */
  readonly maxRequestBytes: number;
  /** How long the body of a request may take to come, in milliseconds. */
  readonly requestTimeoutMs: number;
  /** The deadline of a unary call that brings none of its own, in milliseconds. Default: none. */
  readonly defaultTimeoutMs?: number | undefined;
}

/**
 * Returns what serves one call with a handler of the library.
 *
 * It takes the place of connect-node's own adapter, whose listener throws for a malformed authority, which ends the process,
 * and which writes to the console for every caller that leaves.
 */
export function createRpcServer({
  calls,
  observer,
  maxRequestBytes,
  requestTimeoutMs,
  defaultTimeoutMs,
}: RpcServerOptions): RpcServer {
  return async (rpc, authority, exchange, httpCall) => {
    const call = openCall(rpc, exchange, observer);
    calls.add(call);
    try {
      const { request, response } = exchange;
      if (request.method === 'GET') response.setHeader('cache-control', 'no-store');
      call.body = new RequestBody(
        request,
        rpc.method.methodKind === 'bidi_streaming' ? undefined : requestTimeoutMs,
      );
      const values = createContextValues().set(callContextKey, call.context).set(rpcCallKey, call);
      const sent = toUniversalRequest(request, authority, call.body, call.signal, values);
      const universal =
        httpCall === undefined
          ? sent
          : await toConnectRequest(sent, call, {
              query: exchange.query,
              httpCall,
              maxBytes: maxRequestBytes,
            });
      if (defaultTimeoutMs !== undefined && !call.isStream) {
        giveTimeout(universal.header, call.context.protocol, defaultTimeoutMs);
      }
      const answer = await rpc(universal);
      const rewriter = createErrorRewriter(call);
      if (answer.body === undefined) await answerMismatch(rpc, answer.status, exchange, call);
      else if (httpCall === undefined) await sendAnswer(answer, exchange, call, rewriter);
      else if (call.isStream) await sendLines(answer, exchange, call, rewriter);
      else await sendJson(answer, httpCall, exchange, call, rewriter);
    } catch (error) {
      const failure = call.fail(call.failure === undefined ? explainUndecodable(error) : error);
      if (httpCall?.answer === undefined || exchange.response.headersSent) throw failure;
      await sendFailure(failure, httpCall, exchange);
    } finally {
      call.body?.stop();
      calls.delete(call);
    }
  };
}

function openCall(rpc: UniversalHandler, exchange: Exchange, observer: CallObserver): RpcCall {
  const { request, response, requestId } = exchange;
  const context = {
    requestId,
    method: rpc.method,
    protocol: protocolOf(request),
    peer: request.socket.remoteAddress ?? '',
    startMs: performance.now(),
  };
  const call = new RpcCall(context, observer);
  response.once('finish', () => call.finish());
  response.once('close', () => call.lose());
  return call;
}

/** Answers a request that the library answers with nothing but a status: wrong method, content type or HTTP version. */
async function answerMismatch(
  rpc: UniversalHandler,
  status: number,
  exchange: Exchange,
  call: RpcCall,
): Promise<void> {
  const { response, request } = exchange;
  switch (status) {
    case 405: {
      response.setHeader('allow', rpc.allowedMethods.join(', '));
      const message = `${rpc.requestPath} takes ${rpc.allowedMethods.join(' and ')} only`;
      return answerErrorJson(exchange, call.fail(reasonError('REQUEST_MALFORMED', message)), status);
    }
    case 505: {
      const message = `${rpc.requestPath} streams both ways, which takes HTTP/2`;
      return answerErrorJson(exchange, call.fail(reasonError('NOT_SUPPORTED', message)), status);
    }
    default: {
      const given = (request.headers['content-type'] ?? 'none').slice(0, 100);
      const message = `No content type that ${rpc.requestPath} takes: ${given}; see the protocols of Connect, gRPC and gRPC-Web`;
      return answerErrorJson(exchange, call.fail(reasonError('REQUEST_MALFORMED', message)), status);
    }
  }
}
