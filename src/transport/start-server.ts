// Serves HTTP: gRPC, gRPC-Web and Connect, over HTTP/1.1 and HTTP/2, in cleartext or TLS, on one port. What a call means is none of
// its business; it sees to it that every call gets an answer with a reason, is reported once, and is not lost in a shutdown.

import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { ConnectRouter } from '@connectrpc/connect';
import type { CallObserver } from '../rpc/checks/call-context.ts';
import type { Validate } from '../rpc/checks/validation.ts';
import { createConnectionLimit } from './connection-limit.ts';
import { Deadlines } from './deadlines.ts';
import { createDirectServer } from './direct/direct-server.ts';
import type { FindHttpCall } from './http-call.ts';
import type { HttpRoute } from './http-route.ts';
import { createHttp1Server } from './http1-server.ts';
import { createHttp2Server } from './http2-server.ts';
import {
  type ListenAddress,
  type Listener,
  type OpenListener,
  openListener,
  type ServerCertificate,
} from './listener.ts';
import type { Log } from './log.ts';
import { OpenCalls } from './open-calls.ts';
import { createRequestHandler } from './request-handler.ts';
import { createRequestIds } from './request-id.ts';
import { COMPRESS_MIN_BYTES, createRpcServer, createRpcs } from './rpc-server.ts';

export type { Listener } from './listener.ts';

/** How many connections more than allowed are listened to, to tell them that they are too many; the rest is dropped. */
const REFUSED_AT_ONCE = 256;
const DRAIN_CHECK_MS = 10;
/** After so many turns of the event loop without a new connection, none is waiting. */
const QUIET_TURNS = 5;
/** How long calls that are cut may take to say so, in milliseconds. */
const CUT_GRACE_MS = 200;

/** What {@link startServer} needs. */
export interface ServerOptions {
  readonly listen: readonly ListenAddress[];
  /** Default: cleartext. */
  readonly tls?: ServerCertificate | undefined;
  readonly routes: (router: ConnectRouter) => void;
  /** What every request is held against. */
  readonly validate: Validate;
  readonly observer: CallObserver;
  /** Plain GET and HEAD routes by their path, such as `/healthz`; a path such as `/spring/` stands for all below it. */
  readonly httpRoutes: ReadonlyMap<string, HttpRoute>;
  /** Finds the rpc that a method and a path mean, where they are those of no rpc and no plain route. Default: none. */
  readonly findHttpCall?: FindHttpCall | undefined;
  /** The origins of pages that may call from a browser; `*`: all. */
  readonly corsOrigins: readonly string[] | '*';
  /** The deadline of a unary call that brings none of its own, in milliseconds. Default: none. */
  readonly defaultTimeoutMs?: number | undefined;
  /** Largest request message, in bytes, also after decompression. @default 2 MiB */
  readonly maxRequestBytes?: number | undefined;
  /** Largest response message, in bytes. @default 64 MiB */
  readonly maxResponseBytes?: number | undefined;
  /** Connections at once. @default 20000 */
  readonly maxConnections?: number | undefined;
  /** Streaming calls at once, over all connections. @default 20000 */
  readonly maxStreams?: number | undefined;
  /** How long a drain waits for calls, in milliseconds. @default 10000 */
  readonly drainTimeoutMs?: number | undefined;
  /** How often an HTTP/2 connection is pinged, in milliseconds; unanswered by the next one, it is dropped. @default 25000 */
  readonly pingIntervalMs?: number | undefined;
  /** How long a client may take to send its first bytes, in milliseconds. @default 5000 */
  readonly firstBytesTimeoutMs?: number | undefined;
  /** How long the body of a request may take to come, in milliseconds. @default 60000 */
  readonly requestTimeoutMs?: number | undefined;
  readonly log: Log;
}

/** What a server has to do at the moment. */
export interface ServerStats {
  /** Open connections: those of HTTP/1 and those of HTTP/2. */
  readonly connections: number;
  readonly http1Connections: number;
  readonly http2Connections: number;
  /** Calls being served, streams included. */
  readonly calls: number;
  readonly streams: number;
  /** Connections refused since the start, because there were too many. */
  readonly refusedConnections: number;
}

/** A server that listens. */
export interface RunningServer extends AsyncDisposable {
  readonly listeners: readonly Listener[];
  stats(): ServerStats;
  /**
   * Stops listening, ends streams with UNAVAILABLE `SHUTTING_DOWN`, lets unary calls finish, and closes connections as soon as
   * no call can be under way on them. What is left after `drainTimeoutMs` is cut. Never rejects; a second call joins the first.
   */
  drain(): Promise<void>;
}

/** Starts to listen and serve. Throws an Error that says what to do where it cannot listen on one of the addresses. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { log, maxConnections = 20_000, maxRequestBytes = 2 << 20, maxResponseBytes = 64 << 20 } = options;
  const {
    maxStreams = 20_000,
    drainTimeoutMs = 10_000,
    pingIntervalMs = 25_000,
    firstBytesTimeoutMs = 5_000,
    requestTimeoutMs = 60_000,
  } = options;
  const calls = new OpenCalls(maxStreams);
  const limit = createConnectionLimit(maxConnections, log);
  let draining: Promise<void> | undefined;
  let isDraining = false;
  let accepted = 0;

  const rpcs = createRpcs({ ...options, maxRequestBytes, maxResponseBytes });
  const requestIdOf = createRequestIds();
  const direct = createDirectServer({
    rpcs: rpcs.direct,
    validate: options.validate,
    calls,
    deadlines: new Deadlines(),
    observer: options.observer,
    requestIdOf,
    isDraining: () => isDraining,
    maxRequestBytes,
    answers: { compressMinBytes: COMPRESS_MIN_BYTES, maxResponseBytes },
    requestTimeoutMs,
    defaultTimeoutMs: options.defaultTimeoutMs,
    log,
  });
  const handler = createRequestHandler({
    rpcs: rpcs.all,
    serveRpc: createRpcServer({
      calls,
      observer: options.observer,
      maxRequestBytes,
      defaultTimeoutMs: options.defaultTimeoutMs,
      requestTimeoutMs,
    }),
    httpRoutes: options.httpRoutes,
    findHttpCall: options.findHttpCall ?? (() => undefined),
    corsOrigins: options.corsOrigins,
    policy: { isDraining: () => isDraining, maxRequestBytes },
    requestIdOf,
    log,
  });
  const http1 = createHttp1Server(direct, handler, { isDraining: () => isDraining, log });
  const http2 = createHttp2Server({ takeCall: direct.takeHttp2, handler, pingIntervalMs, log });

  const listeners = await openListeners(options.listen, {
    tls: options.tls,
    firstBytesTimeoutMs,
    maxSockets: maxConnections + REFUSED_AT_ONCE,
    onDrop: () => limit.noteDropped(),
    onAccept: () => {
      accepted += 1;
    },
    onConnection(socket, version) {
      if (http1.size + http2.size >= maxConnections) limit.refuse(socket, version);
      else (version === 'http1' ? http1 : http2).serve(socket);
    },
    log,
  });

  /** Takes in the connections that were made before: the system hands over one a turn of the event loop, and resets the rest. */
  async function acceptWaiting(deadlineMs: number): Promise<void> {
    for (let quietTurns = 0; quietTurns < QUIET_TURNS && performance.now() < deadlineMs; quietTurns++) {
      const before = accepted;
      await nextTurn();
      if (accepted > before) quietTurns = 0;
    }
  }

  async function drain(): Promise<void> {
    const deadlineMs = performance.now() + drainTimeoutMs;
    await acceptWaiting(deadlineMs);
    isDraining = true;
    for (const listener of listeners) listener.close();
    http1.drain();
    http2.drain();
    calls.stopStreams();
    while (calls.size + http1.size + http2.size > 0 && performance.now() < deadlineMs)
      await sleep(DRAIN_CHECK_MS);
    const { size } = calls;
    if (size > 0)
      log.warn(
        { calls: size, drainTimeoutMs },
        'calls were still running at the end of the drain and are cut',
      );
    calls.stopAll();
    for (const listener of listeners) listener.dropUndecided();
    // A moment for handlers to end and for their answers to leave.
    for (let waitedMs = 0; calls.size > 0 && waitedMs < CUT_GRACE_MS; waitedMs += DRAIN_CHECK_MS)
      await sleep(DRAIN_CHECK_MS);
    http1.destroy();
    http2.destroy();
  }

  function drainOnce(): Promise<void> {
    draining ??= drain();
    return draining;
  }

  return {
    listeners: listeners.map(({ host, port, scheme }) => ({ host, port, scheme })),
    stats: () => ({
      connections: http1.size + http2.size,
      http1Connections: http1.size,
      http2Connections: http2.size,
      calls: calls.size,
      streams: calls.streams,
      refusedConnections: limit.refused,
    }),
    drain: drainOnce,
    [Symbol.asyncDispose]: drainOnce,
  };
}

async function openListeners(
  addresses: readonly ListenAddress[],
  options: Parameters<typeof openListener>[1],
): Promise<readonly OpenListener[]> {
  const opened: OpenListener[] = [];
  try {
    for (const address of addresses) opened.push(await openListener(address, options));
    return opened;
  } catch (error) {
    for (const listener of opened) listener.close();
    throw error;
  }
}
