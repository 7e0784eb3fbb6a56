import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { createServer, type Server, type Socket } from 'node:net';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { Health, HealthCheckResponse_ServingStatus } from '../../../gen/grpc/health/v1/health_pb.ts';

/** What a probe is answered. */
export type Answer = 'good' | 'bad' | 'redirect' | 'slow' | 'endless' | 'silence';

/** A server that a probe asks, on a free port of loopback; disposing ends it and its connections. */
export interface ProbedServer extends AsyncDisposable {
  readonly port: number;
  /** How often it was connected to. */
  readonly asked: number;
  readonly openConnections: number;
  answer: Answer;
  /** Refuses connections from now on. */
  close(): Promise<void>;
  /** Listens again, on the same port. */
  listen(): Promise<void>;
}

/** Longer than any test's probe waits. */
const SLOW_MS = 30_000;

/** Starts one that accepts connections, or answers pages (`/health`) or `grpc.health.v1.Health` on them. */
export async function startProbedServer(
  kind: 'tcp' | 'http' | 'grpc',
  host = '127.0.0.1',
): Promise<ProbedServer> {
  let answer: Answer = 'good';
  let asked = 0;
  let port = 0;
  let server: Server | undefined;
  const sockets = new Set<Socket>();

  async function listen(): Promise<void> {
    const next = createOf(kind, () => answer);
    next.on('connection', (socket: Socket) => {
      asked += 1;
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
    });
    next.listen(port, host);
    await once(next, 'listening');
    const address = next.address();
    port = typeof address === 'object' && address !== null ? address.port : 0;
    server = next;
  }
  async function close(): Promise<void> {
    if (server === undefined) return;
    const closed = once(server, 'close');
    server.close();
    server = undefined;
    for (const socket of sockets) socket.destroy();
    await closed;
  }
  await listen();
  return {
    get port() {
      return port;
    },
    get asked() {
      return asked;
    },
    get openConnections() {
      return sockets.size;
    },
    get answer() {
      return answer;
    },
    set answer(next) {
      answer = next;
    },
    close,
    listen,
    [Symbol.asyncDispose]: close,
  };
}

function createOf(kind: 'tcp' | 'http' | 'grpc', answer: () => Answer): Server {
  switch (kind) {
    case 'tcp':
      return createServer((socket) => socket.resume());
    case 'http':
      return createHttpServer(pageOf(answer));
    case 'grpc':
      return createHttp2Server(healthOf(answer));
  }
}

function pageOf(answer: () => Answer): RequestListener {
  return (request, response) => {
    const isMeant = request.url === '/health?deep=1' && request.headers.host?.endsWith(`:${portOf(request)}`);
    if (!isMeant) response.writeHead(404).end();
    else respond[answer()](response);
  };
}

const respond: Readonly<Record<Answer, (response: Parameters<RequestListener>[1]) => void>> = {
  good: (response) => void response.writeHead(204).end(),
  bad: (response) => void response.writeHead(500).end('no'),
  redirect: (response) => void response.writeHead(302, { location: '/elsewhere' }).end(),
  slow: (response) => void setTimeout(() => response.end('late'), SLOW_MS).unref(),
  endless(response) {
    response.writeHead(200);
    response.write('more comes');
  },
  silence: () => {},
};

function portOf({ socket }: { readonly socket: { readonly localPort?: number } }): number {
  return socket.localPort ?? 0;
}

function healthOf(answer: () => Answer) {
  return connectNodeAdapter({
    routes: (router) =>
      router.service(Health, {
        async check({ service }) {
          if (answer() === 'silence') await new Promise((resolve) => setTimeout(resolve, SLOW_MS).unref());
          const isServing = answer() === 'good' && service === 'orders';
          const { SERVING, NOT_SERVING } = HealthCheckResponse_ServingStatus;
          return { status: isServing ? SERVING : NOT_SERVING };
        },
      }),
  });
}
