import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { reasonError } from '../rpc/checks/errors.ts';
import type { DirectServer } from './direct/direct-server.ts';
import { rawErrorAnswer } from './error-answer.ts';
import type { HttpServer } from './http-server.ts';
import { createConnectionHeaders } from './http1/connection-headers.ts';
import { PlainConnection, type PlainServer, type Traffic } from './http1/plain-connection.ts';
import type { Log } from './log.ts';
import type { NodeHandler } from './node-http.ts';

const KEEP_ALIVE_PROBE_MS = 30_000;
/** Longer than the minute after which proxies drop an idle connection: the side that sends requests is to close it. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;
const HEADERS_TIMEOUT_MS = 20_000;
/** Only where a body is not being read: one that is has a limit of its own, with an answer. */
const REQUEST_TIMEOUT_MS = 90_000;
const TIMEOUT_CHECK_MS = 2_000;
const DRAIN_CHECK_MS = 20;
/**
 * While draining, for how many checks a connection must be idle: 300 ms, in which a request that is on its way arrives. They are
 * counted, not timed, so that a process which is short of time closes nothing before it has read what waits.
 */
const LAST_REQUEST_GRACE_CHECKS = 15;
/** How long a client may take to close its side of a connection that was closed on ours. */
const CLOSE_TIMEOUT_MS = 500;

interface Connection extends Traffic {
  /** Of the last request that is being served, where node:http has the connection. */
  response: ServerResponse<IncomingMessage> | undefined;
}

/**
 * Returns what serves connections of HTTP/1.0 and 1.1: what `direct` does not take is the handler's. A connection begins as a plain
 * one, see {@link PlainConnection}.
 *
 * A drain lets every connection have one more answer, with `connection: close`; a connection that is idle is closed when no
 * request has come for 300 ms, since a client may have sent one just then.
 */
export function createHttp1Server(
  direct: DirectServer,
  handler: NodeHandler,
  { isDraining, log }: { readonly isDraining: () => boolean; readonly log: Log },
): HttpServer {
  const connections = new Map<Socket, Connection>();
  let drainTimer: NodeJS.Timeout | undefined;

  const server = createServer(
    {
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      // The request handler answers it, with a body that says what is wrong.
      requireHostHeader: false,
    },
    (request, response) => {
      const connection = connections.get(request.socket);
      if (connection === undefined || connection.isClosing) return request.socket.destroy();
      track(connection, response);
      if (!direct.takeHttp1(request, response)) handler(request, response);
    },
  );
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    log.debug({ code: error.code }, 'a client sent what is not HTTP/1.1');
    const response = connections.get(socket)?.response;
    if (response?.headersSent === true || !socket.writable || error.code === 'ECONNRESET') socket.destroy();
    // What is wrong came after a whole request, whose answer goes first.
    else if (response?.req.complete) response.once('close', () => answerClientError(error.code, socket));
    else answerClientError(error.code, socket);
  });
  const plain: PlainServer = {
    direct,
    connectionHeaders: createConnectionHeaders(KEEP_ALIVE_TIMEOUT_MS, isDraining),
    firstRequestTimeoutMs: HEADERS_TIMEOUT_MS,
    keepAliveMs: KEEP_ALIVE_TIMEOUT_MS,
    handOver: (socket) => server.emit('connection', socket),
    refuseIdle: (socket) => answerClientError('ERR_HTTP_REQUEST_TIMEOUT', socket),
  };
  // A server that does not listen itself runs its time-outs only when told so.
  server.emit('listening');

  function track(connection: Connection, response: ServerResponse<IncomingMessage>): void {
    connection.requests += 1;
    connection.response = response;
    response.once('close', () => {
      connection.requests -= 1;
      if (connection.response === response) connection.response = undefined;
      connection.idleChecks = 0;
    });
  }

  function closeIdle(): void {
    for (const [socket, connection] of connections) {
      if (connection.requests > 0 || connection.isClosing) continue;
      connection.idleChecks += 1;
      if (connection.idleChecks < LAST_REQUEST_GRACE_CHECKS) continue;
      connection.isClosing = true;
      socket.end();
      setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS).unref();
    }
  }

  return {
    serve(socket) {
      const connection = { requests: 0, response: undefined, idleChecks: 0, isClosing: false };
      connections.set(socket, connection);
      socket.once('close', () => connections.delete(socket));
      socket.setKeepAlive(true, KEEP_ALIVE_PROBE_MS);
      new PlainConnection(socket, connection, plain);
    },
    get size() {
      return connections.size;
    },
    drain() {
      drainTimer ??= setInterval(closeIdle, DRAIN_CHECK_MS);
    },
    destroy() {
      clearInterval(drainTimer);
      for (const socket of connections.keys()) socket.destroy();
      server.close();
    },
  };
}

function answerClientError(code: string | undefined, socket: Socket): void {
  if (!socket.writable) return;
  const [statusLine, message] = clientErrorAnswer(code);
  socket.end(rawErrorAnswer(statusLine, reasonError('REQUEST_MALFORMED', message)));
  setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS).unref();
}

function clientErrorAnswer(code: string | undefined): readonly [statusLine: string, message: string] {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return ['431 Request Header Fields Too Large', 'The headers or the path are too long; send a POST'];
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return ['408 Request Timeout', 'The request did not come in time'];
    default:
      return ['400 Bad Request', 'This is not HTTP/1.1'];
  }
}
