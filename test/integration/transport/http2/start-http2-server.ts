import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { Http2Connection } from '../../../../src/transport/http2/http2-connection.ts';
import type { Http2Stream } from '../../../../src/transport/http2/http2-stream.ts';

/** A server of nothing but our HTTP/2, of which the test decides what becomes of its requests. */
export interface Http2TestServer extends AsyncDisposable {
  readonly port: number;
  readonly baseUrl: string;
  readonly connections: readonly Http2Connection[];
  /** Why connections have failed. */
  readonly failures: readonly Error[];
}

/** Starts it on a free port of loopback. */
export async function startHttp2Server(opened: (stream: Http2Stream) => void): Promise<Http2TestServer> {
  const connections: Http2Connection[] = [];
  const failures: Error[] = [];
  const server = createServer({ noDelay: true }, (socket) => {
    connections.push(new Http2Connection(socket, { opened, failed: (error) => void failures.push(error) }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    baseUrl: `http://127.0.0.1:${port}`,
    connections,
    failures,
    async [Symbol.asyncDispose]() {
      for (const connection of connections) connection.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Answers each request with a body, at once. */
export function answering(body: Uint8Array): (stream: Http2Stream) => void {
  return (stream) => {
    stream.begin(200, ['content-type', 'text/plain']);
    stream.end(body, ['x-trailer', 'done']);
  };
}
