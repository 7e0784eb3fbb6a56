// The direct path: unary calls straight from node:http2's streams and node:http's requests to the handlers, past connect-node, whose
// chain of iterables costs more than all the rest. What it does not take goes the library's way.

import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import type { CallObserver } from '../../rpc/checks/call-context.ts';
import { reasonError } from '../../rpc/checks/errors.ts';
import type { Validate } from '../../rpc/checks/validation.ts';
import { isAuthority } from '../authority.ts';
import type { Deadlines } from '../deadlines.ts';
import type { OpenCalls } from '../open-calls.ts';
import type { RequestIds } from '../request-id.ts';
import { RpcCall } from '../rpc-call.ts';
import type { AnswerLimits } from './answer.ts';
import { serveHttp1Call } from './http1-call.ts';
import { serveHttp2Call } from './http2-call.ts';
import { createUnaryCalls } from './unary-calls.ts';
import { readUnaryHead, type UnaryHead } from './unary-head.ts';
import type { UnaryRpc } from './unary-rpcs.ts';

/** What {@link createDirectServer} needs. */
export interface DirectServerOptions {
  readonly rpcs: ReadonlyMap<string, UnaryRpc>;
  readonly validate: Validate;
  readonly calls: OpenCalls;
  readonly deadlines: Deadlines;
  readonly observer: CallObserver;
  readonly requestIdOf: RequestIds;
  readonly isDraining: () => boolean;
  readonly maxRequestBytes: number;
  readonly answers: AnswerLimits;
  /** How long the body of a request may take to come, in milliseconds. */
  readonly requestTimeoutMs: number;
  /** The deadline of a call that brings none of its own, in milliseconds. Default: none. */
  readonly defaultTimeoutMs: number | undefined;
}

/** Takes calls; false: it leaves this one to others, untouched. */
export interface DirectServer {
  takeHttp1(request: IncomingMessage, response: ServerResponse): boolean;
  takeHttp2(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): boolean;
}

/** Creates it. */
export function createDirectServer(options: DirectServerOptions): DirectServer {
  const { rpcs, calls, deadlines, observer, requestIdOf, maxRequestBytes, requestTimeoutMs } = options;
  const answer = createUnaryCalls(options.validate, options.answers);

  function open(head: UnaryHead, peer: string | undefined): RpcCall {
    const call = new RpcCall(
      {
        requestId: requestIdOf(head.headers['x-request-id']),
        method: head.rpc.method,
        protocol: head.wire.protocol,
        peer: peer ?? '',
        startMs: performance.now(),
      },
      observer,
    );
    calls.add(call);
    const timeoutMs = head.timeoutMs ?? options.defaultTimeoutMs;
    if (timeoutMs !== undefined) call.deadlineMs = call.context.startMs + timeoutMs;
    if (timeoutMs !== undefined && timeoutMs <= requestTimeoutMs) deadlines.set(call, timeoutMs, overdue);
    else deadlines.set(call, requestTimeoutMs, () => bodyOverdue(requestTimeoutMs));
    return call;
  }

  /** Answers a call whose body is there; it has its own deadline alone from now on. */
  function serve(head: UnaryHead, call: RpcCall, body: Buffer) {
    const { deadlineMs } = call;
    if (deadlineMs === undefined) deadlines.delete(call);
    else if (deadlineMs - call.context.startMs > requestTimeoutMs)
      deadlines.set(call, deadlineMs - performance.now(), overdue);
    if (deadlineMs === call.context.startMs) call.stop(overdue());
    return answer(head, call, body);
  }

  function close(call: RpcCall): void {
    deadlines.delete(call);
    calls.delete(call);
  }

  const exchange = { serve, close, maxRequestBytes };

  function headOf(
    path: string,
    headers: IncomingHttpHeaders,
    authority: string | undefined,
    from: { readonly httpVersion: string; readonly isEncrypted: boolean },
  ): UnaryHead | undefined {
    const mark = path.indexOf('?');
    const rpc = rpcs.get(mark < 0 ? path : path.slice(0, mark));
    // Pages of other origins are told by CORS what they may read.
    if (rpc === undefined || headers.origin !== undefined || !isAuthority(authority)) return undefined;
    const url = `${from.isEncrypted ? 'https' : 'http'}://${authority}${path}`;
    return readUnaryHead(rpc, { headers, httpVersion: from.httpVersion, url });
  }

  return {
    takeHttp1(request, response) {
      const { method, url = '', headers, rawHeaders, socket } = request;
      if (method !== 'POST' || headers.expect !== undefined || countHosts(rawHeaders) !== 1) return false;
      // A length that is not told, or too large, is for the library to deal with.
      const length = headers['content-length'];
      if (length === undefined || Number(length) > maxRequestBytes) return false;
      const isEncrypted = 'encrypted' in socket && socket.encrypted === true;
      const head = headOf(url, headers, headers.host, { httpVersion: request.httpVersion, isEncrypted });
      if (head === undefined || head.wire.protocol === 'grpc') return false;
      if (options.isDraining()) response.setHeader('connection', 'close');
      serveHttp1Call(request, response, head, open(head, socket.remoteAddress), exchange);
      return true;
    },

    takeHttp2(stream, headers) {
      const { ':method': method, ':path': path = '', ':authority': authority, ':scheme': scheme } = headers;
      if (method !== 'POST' || headers.host !== undefined || headers.expect !== undefined) return false;
      const head = headOf(String(path), headers, String(authority ?? ''), {
        httpVersion: '2.0',
        isEncrypted: scheme === 'https',
      });
      if (head === undefined) return false;
      serveHttp2Call(stream, head, open(head, peerOf(stream)), exchange);
      return true;
    },
  };
}

function countHosts(rawHeaders: readonly string[]): number {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2)
    if (rawHeaders[i]?.length === 4 && rawHeaders[i]?.toLowerCase() === 'host') count += 1;
  return count;
}

const peers = new WeakMap<object, string | undefined>();

/** The address of the other end; asked once a connection, where it costs much. */
function peerOf({ session }: ServerHttp2Stream): string | undefined {
  if (session === undefined) return undefined;
  if (!peers.has(session)) peers.set(session, session.socket.remoteAddress);
  return peers.get(session);
}

function overdue() {
  return reasonError('DEADLINE_EXCEEDED', 'The deadline of the call passed');
}

function bodyOverdue(timeoutMs: number) {
  return reasonError('DEADLINE_EXCEEDED', `The request did not come within ${timeoutMs} ms`);
}
