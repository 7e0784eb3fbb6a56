// The direct path: calls that take one message straight from streams of HTTP/2 and requests of HTTP/1.1 to the handlers, past
// connect-node, whose chain of iterables costs more than all the rest. What it does not take goes the library's way.

import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { CallObserver } from '../../rpc/checks/call-context.ts';
import { reasonError } from '../../rpc/checks/errors.ts';
import type { Validate } from '../../rpc/checks/validation.ts';
import { isAuthority } from '../authority.ts';
import type { Deadlines } from '../deadlines.ts';
import type { PlainHead } from '../http1/read-plain-head.ts';
import type { Http2Stream } from '../http2/http2-stream.ts';
import type { Log } from '../log.ts';
import type { OpenCalls } from '../open-calls.ts';
import type { RequestIds } from '../request-id.ts';
import { RpcCall } from '../rpc-call.ts';
import { type CallHead, readHead } from './head.ts';
import type { Outlet } from './outlet.ts';
import { receiveHttp1Call, receiveHttp2Call } from './receive-call.ts';
import type { DirectRpc } from './rpcs.ts';
import { type AnswerLimits, createServeCall, type ServeCall } from './serve-call.ts';

/** What {@link createDirectServer} needs. */
export interface DirectServerOptions {
  readonly rpcs: ReadonlyMap<string, DirectRpc>;
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
  readonly log: Log;
}

/** Serves calls. What takes one returns false where it leaves it to others, untouched. */
export interface DirectServer {
  takeHttp1(request: IncomingMessage, response: ServerResponse): boolean;
  takeHttp2(stream: Http2Stream): boolean;
  /** Returns which unary call a request is; undefined: one of others, or none. It may be kept, for requests with the same head. */
  headOfPlain(head: PlainHead, isEncrypted: boolean): CallHead | undefined;
  /** Opens a call that has come whole, for {@link DirectServer.serve}. */
  openWhole(head: CallHead, peer: string | undefined): RpcCall;
  /** Answers a call that is open and whole. Never rejects. */
  serve(head: CallHead, call: RpcCall, body: Buffer, outlet: Outlet): Promise<void>;
}

/** Creates it. */
export function createDirectServer(options: DirectServerOptions): DirectServer {
  const { rpcs, calls, deadlines, observer, requestIdOf, maxRequestBytes, requestTimeoutMs, log } = options;
  const serveCall = createServeCall(options.validate, options.answers);

  function openWhole(head: CallHead, peer: string | undefined): RpcCall {
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
    const timeoutMs = head.timeoutMs ?? (call.isStream ? undefined : options.defaultTimeoutMs);
    if (timeoutMs === undefined) return call;
    call.deadlineMs = call.context.startMs + timeoutMs;
    if (timeoutMs <= requestTimeoutMs) deadlines.set(call, timeoutMs, overdue);
    return call;
  }

  /** Opens a call whose body is to come. */
  function open(head: CallHead, peer: string | undefined): RpcCall {
    const call = openWhole(head, peer);
    const { deadlineMs = Number.POSITIVE_INFINITY, context } = call;
    if (deadlineMs - context.startMs > requestTimeoutMs)
      deadlines.set(call, requestTimeoutMs, () => bodyOverdue(requestTimeoutMs));
    return call;
  }

  /** From when its body is there, a call has its own deadline alone. */
  function serve(head: CallHead, call: RpcCall, body: Buffer, outlet: Outlet): Promise<void> {
    const { deadlineMs } = call;
    if (deadlineMs === undefined) deadlines.delete(call);
    else {
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) call.stop(overdue());
      else if (deadlineMs - call.context.startMs > requestTimeoutMs) deadlines.set(call, leftMs, overdue);
    }
    return untilAnswered(serveCall(head, call, body, outlet), call, outlet);
  }

  /** Where head and body are not known, as they would stay in memory for as long as a stream lives. */
  async function untilAnswered(served: ReturnType<ServeCall>, call: RpcCall, outlet: Outlet): Promise<void> {
    try {
      const stream = await served;
      await stream?.send();
    } catch (error) {
      log.error({ error, requestId: call.context.requestId }, 'a call could not be answered');
      outlet.destroy();
    } finally {
      close(call);
    }
  }

  function close(call: RpcCall): void {
    deadlines.delete(call);
    calls.delete(call);
  }

  const life = { serve, close, maxRequestBytes, isDraining: options.isDraining };

  function headOf(
    path: string,
    headers: IncomingHttpHeaders,
    authority: string | undefined,
    from: { readonly httpVersion: string; readonly isEncrypted: boolean },
  ): CallHead | undefined {
    const mark = path.indexOf('?');
    const rpc = rpcs.get(mark < 0 ? path : path.slice(0, mark));
    // Pages of other origins are told by CORS what they may read.
    if (rpc === undefined || headers.origin !== undefined || !isAuthority(authority)) return undefined;
    const url = `${from.isEncrypted ? 'https' : 'http'}://${authority}${path}`;
    return readHead(rpc, { headers, httpVersion: from.httpVersion, url });
  }

  return {
    openWhole,
    serve,

    headOfPlain({ path, headers, contentLength }, isEncrypted) {
      if (contentLength > maxRequestBytes) return undefined;
      const head = headOf(path, headers, headers.host, { httpVersion: '1.1', isEncrypted });
      const isTaken =
        head !== undefined && head.rpc.kind === 'unary' && head.wire.protocol !== 'grpc' && !head.isOdd;
      return isTaken ? head : undefined;
    },

    takeHttp1(request, response) {
      const { method, url = '', headers, rawHeaders, socket } = request;
      if (method !== 'POST' || headers.expect !== undefined || countHosts(rawHeaders) !== 1) return false;
      // A length that is not told, or too large, is for the library to deal with.
      const length = headers['content-length'];
      if (length === undefined || Number(length) > maxRequestBytes) return false;
      const isEncrypted = 'encrypted' in socket && socket.encrypted === true;
      const head = headOf(url, headers, headers.host, { httpVersion: request.httpVersion, isEncrypted });
      if (head === undefined || head.wire.protocol === 'grpc') return false;
      receiveHttp1Call(request, response, head, open(head, socket.remoteAddress), life);
      return true;
    },

    takeHttp2(stream) {
      const { method, path, authority, scheme, headers } = stream.head;
      if (method !== 'POST' || headers.host !== undefined || headers.expect !== undefined) return false;
      const head = headOf(path, headers, authority, { httpVersion: '2.0', isEncrypted: scheme === 'https' });
      if (head === undefined) return false;
      receiveHttp2Call(stream, head, open(head, stream.connection.peer), life);
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

function overdue() {
  return reasonError('DEADLINE_EXCEEDED', 'The deadline of the call passed');
}

function bodyOverdue(timeoutMs: number) {
  return reasonError('DEADLINE_EXCEEDED', `The request did not come within ${timeoutMs} ms`);
}
