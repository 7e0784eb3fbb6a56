import type { Socket } from 'node:net';
import type { DirectServer } from './direct/direct-server.ts';
import type { HttpServer } from './http-server.ts';
import { Http2Connection } from './http2/http2-connection.ts';
import { handleStream } from './http2/http2-exchange.ts';
import { CODE, ConnectionError } from './http2/protocol.ts';
import type { Log } from './log.ts';
import type { NodeHandler } from './node-http.ts';

/** While draining, how long a client may take to answer the ping that tells that it knows. */
const GOAWAY_ACK_TIMEOUT_MS = 1_000;

/** What {@link createHttp2Server} needs. */
export interface Http2ServerOptions {
  readonly takeCall: DirectServer['takeHttp2'];
  /** Is given what `takeCall` does not take, as requests and responses. */
  readonly handler: NodeHandler;
  /** How often a connection is pinged, in milliseconds. One that has not answered by the next ping is dropped. */
  readonly pingIntervalMs: number;
  readonly log: Log;
}

/**
 * Returns what serves connections of HTTP/2.
 *
 * A drain tells the client of a connection to open no more streams, waits for those that were under way (the answer to a ping comes
 * after them), and only then refuses further ones: no call is lost, and none is refused that the client could have kept.
 */
export function createHttp2Server({
  takeCall,
  handler,
  pingIntervalMs,
  log,
}: Http2ServerOptions): HttpServer {
  const connections = new Set<Http2Connection>();
  let isDraining = false;

  const listener = {
    opened(stream: Parameters<typeof takeCall>[0]) {
      if (!takeCall(stream)) handleStream(stream, handler);
    },
    failed(error: Error) {
      const isOurs = error instanceof ConnectionError && error.code === CODE.internalError;
      log[isOurs ? 'error' : 'debug']({ error }, 'an HTTP/2 connection failed');
    },
  };

  function keepChecking(connection: Http2Connection): () => void {
    let isAwaited = false;
    function check(): void {
      if (isAwaited) {
        log.debug({ peer: connection.peer }, 'an HTTP/2 connection does not answer pings and is dropped');
        connection.destroy();
        return;
      }
      isAwaited = true;
      connection.ping(() => {
        isAwaited = false;
      });
    }
    // An answer that a process which was short of time has not read yet is read before the check.
    const timer = setInterval(() => setImmediate(check), pingIntervalMs);
    timer.unref();
    return () => clearInterval(timer);
  }

  return {
    serve(socket: Socket) {
      // A client that closes its side has left: HTTP/2 has no use for half a connection.
      socket.allowHalfOpen = false;
      const connection = new Http2Connection(socket, listener);
      connections.add(connection);
      const stopChecking = keepChecking(connection);
      socket.once('close', () => {
        connections.delete(connection);
        stopChecking();
      });
      if (isDraining) leave(connection);
    },
    get size() {
      return connections.size;
    },
    drain() {
      isDraining = true;
      for (const connection of connections) leave(connection);
    },
    destroy() {
      for (const connection of connections) connection.destroy();
    },
  };
}

function leave(connection: Http2Connection): void {
  connection.announceEnd();
  const close = () => connection.close();
  const timer = setTimeout(close, GOAWAY_ACK_TIMEOUT_MS);
  connection.socket.once('close', () => clearTimeout(timer));
  connection.ping(close);
}
