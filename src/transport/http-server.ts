import type { Socket } from 'node:net';

/** What serves the connections of one HTTP version. */
export interface HttpServer {
  /** Takes over a connection. */
  serve(socket: Socket): void;
  /** Open connections. */
  readonly size: number;
  /** Closes every connection as soon as that loses no call. */
  drain(): void;
  /** Closes every connection now, and frees what the server holds. */
  destroy(): void;
}
