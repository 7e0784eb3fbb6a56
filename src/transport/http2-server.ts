import { constants, createServer, type ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import type { DirectServer } from './direct/direct-server.ts';
import type { HttpServer } from './http-server.ts';
import type { Log } from './log.ts';
import type { NodeHandler } from './node-http.ts';

/** Calls at once on one connection. A stream costs some 30 KiB; callers that need more open another connection. */
const MAX_CONCURRENT_STREAMS = 20_000;
/** What one connection may hold in headers and frames, in MiB: Node's own 10 end a connection with many streams. */
const MAX_SESSION_MEMORY_MIB = 256;
/** Cancellations at once, and each second after that: Node's own 1000 and 33 end a proxy's connection with all its calls. */
const STREAM_RESET_BURST = 20_000;
const STREAM_RESET_RATE = 2_000;
/** Bytes that a connection may send before it is told to go on. Node's own 64 KiB stall many streams that say nothing. */
const CONNECTION_WINDOW_BYTES = 16 * 1024 * 1024;
/** While draining, how long a client may take to answer the ping that tells that it knows. */
const GOAWAY_ACK_TIMEOUT_MS = 1_000;
/** How long a client may take to close its side of a connection that was closed on ours, in milliseconds. */
const CLOSE_TIMEOUT_MS = 500;
/** The last stream id there can be: a GOAWAY with it says that no call is refused yet (RFC 9113, 6.8). */
const MAX_STREAM_ID = 2 ** 31 - 1;

/** What {@link createHttp2Server} needs. */
export interface Http2ServerOptions {
  readonly takeCall: DirectServer['takeHttp2'];
  /** Is given what `takeCall` does not take, through Node's compatibility interface. */
  readonly handler: NodeHandler;
  /** How often a connection is pinged, in milliseconds. One that has not answered by the next ping is dropped. */
  readonly pingIntervalMs: number;
  readonly log: Log;
}

/** State of one connection. */
interface Connection {
  session: ServerHttp2Session | undefined;
  streams: number;
}

/**
 * Returns what serves connections of HTTP/2.
 *
 * A drain tells the client of a busy connection to open no more streams, waits for those that were under way (the answer to a
 * ping comes after them), and only then refuses further ones. On an idle connection that first step cannot be had: Node
 * reads no more from it once any GOAWAY was sent. There a stream that was under way is refused, which tells the client that
 * nothing was done for it.
 */
export function createHttp2Server({
  takeCall,
  handler,
  pingIntervalMs,
  log,
}: Http2ServerOptions): HttpServer {
  const connections = new Map<Socket, Connection>();
  let isDraining = false;

  const server = createServer({
    maxSessionMemory: MAX_SESSION_MEMORY_MIB,
    streamResetBurst: STREAM_RESET_BURST,
    streamResetRate: STREAM_RESET_RATE,
    settings: { maxConcurrentStreams: MAX_CONCURRENT_STREAMS },
  });
  // It never listens: it makes a request and a response of each stream that it is handed.
  const compatible = createServer(handler);
  server.on('stream', (stream, headers, flags, rawHeaders) => {
    if (!takeCall(stream, headers)) compatible.emit('stream', stream, headers, flags, rawHeaders);
  });
  server.on('sessionError', (error: Error) => log.debug({ error }, 'an HTTP/2 connection failed'));

  function open(connection: Connection, session: ServerHttp2Session, socket: Socket): void {
    connection.session = session;
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    session.once('close', keepChecking(session, socket));
    session.on('stream', (stream) => {
      connection.streams += 1;
      stream.once('close', () => {
        connection.streams -= 1;
        if (isDraining && connection.streams === 0) session.close();
      });
    });
    if (isDraining) goAway(connection);
  }

  function keepChecking(session: ServerHttp2Session, socket: Socket): () => void {
    let isAwaited = false;
    function check(): void {
      if (session.destroyed) return;
      if (isAwaited) {
        log.debug(
          { peer: socket.remoteAddress },
          'an HTTP/2 connection does not answer pings and is dropped',
        );
        session.destroy();
        socket.destroy();
        return;
      }
      isAwaited = session.ping(() => {
        isAwaited = false;
      });
    }
    // An answer that a process which was short of time has not read yet is read before the check.
    const timer = setInterval(() => setImmediate(check), pingIntervalMs);
    timer.unref();
    return () => clearInterval(timer);
  }

  return {
    serve(socket) {
      // A client that closes its side has left: HTTP/2 has no use for half a connection.
      socket.allowHalfOpen = false;
      const connection: Connection = { session: undefined, streams: 0 };
      connections.set(socket, connection);
      socket.once('close', () => connections.delete(socket));
      socket.once('finish', () => setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS).unref());
      const onSession = (session: ServerHttp2Session) => open(connection, session, socket);
      server.once('session', onSession);
      server.emit('connection', socket);
      server.off('session', onSession);
    },
    get size() {
      return connections.size;
    },
    drain() {
      isDraining = true;
      for (const connection of connections.values()) goAway(connection);
    },
    destroy() {
      for (const [socket, { session }] of connections) {
        session?.destroy();
        socket.destroy();
      }
      server.close();
    },
  };
}

function goAway({ session, streams }: Connection): void {
  if (session === undefined || session.closed || session.destroyed) return;
  if (streams === 0) {
    session.close();
    return;
  }
  session.goaway(constants.NGHTTP2_NO_ERROR, MAX_STREAM_ID);
  const close = () => session.close();
  const timer = setTimeout(close, GOAWAY_ACK_TIMEOUT_MS);
  session.once('close', () => clearTimeout(timer));
  session.ping(close);
}
