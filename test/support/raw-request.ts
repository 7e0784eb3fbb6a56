import { once } from 'node:events';
import { Agent, request as http1Request, type IncomingHttpHeaders } from 'node:http';
import { type ClientHttp2Session, connect } from 'node:http2';

/** A request as it goes over the wire, right or wrong. */
export interface RawRequest {
  /** @default 'POST' */
  readonly method?: string | undefined;
  readonly path: string;
  /** Lower case. Without `content-length` the body goes chunked over HTTP/1.1. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** All of an answer. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly trailers: IncomingHttpHeaders;
}

/** The versions of HTTP that requests are sent over. */
export type RawHttpVersion = '1.1' | '2';

/** Sends raw requests to one gateway. */
export interface RawClient extends AsyncDisposable {
  /** Resolves with whatever is answered. Rejects where the connection ends without an answer. */
  send(version: RawHttpVersion, request: RawRequest): Promise<RawAnswer>;
}

const MAX_SOCKETS = 16;
/** Node's own 10 MiB hold back what is sent after a few requests that were refused before they were sent whole. */
const MAX_SESSION_MEMORY_MIB = 1_000;
const ANSWER_TIMEOUT_MS = 30_000;

/** Creates a client that keeps its connections. */
export function createRawClient(port: number): RawClient {
  const agent = new Agent({ keepAlive: true, maxSockets: MAX_SOCKETS });
  let session: ClientHttp2Session | undefined;
  const sessionOf = (): ClientHttp2Session => {
    if (session === undefined || session.closed || session.destroyed) {
      session = connect(`http://127.0.0.1:${port}`, { maxSessionMemory: MAX_SESSION_MEMORY_MIB });
      // Each stream tells of a connection that fails.
      session.on('error', () => {});
    }
    return session;
  };
  return {
    send: (version, request) =>
      version === '2' ? sendHttp2(sessionOf(), request) : sendHttp1(agent, port, request),
    async [Symbol.asyncDispose]() {
      agent.destroy();
      if (session === undefined || session.destroyed) return;
      session.close();
      await once(session, 'close');
    },
  };
}

function sendHttp1(
  agent: Agent,
  port: number,
  { method = 'POST', path, headers, body }: RawRequest,
): Promise<RawAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<RawAnswer>();
  const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
  const sent = http1Request({ agent, host: '127.0.0.1', port, method, path, headers, signal }, (response) => {
    bodyOf(response).then(
      (received) =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: received,
          trailers: response.trailers,
        }),
      reject,
    );
  });
  // After an early answer the gateway takes no more of the body: what counts is the answer.
  sent.on('error', reject);
  sent.end(body);
  return promise;
}

async function sendHttp2(
  session: ClientHttp2Session,
  { method = 'POST', path, headers, body }: RawRequest,
): Promise<RawAnswer> {
  const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
  const endStream = body.length === 0;
  const stream = session.request({ ':method': method, ':path': path, ...headers }, { signal, endStream });
  let head: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders = {};
  stream.on('response', (received) => {
    head = received;
  });
  stream.on('trailers', (received) => {
    trailers = received;
  });
  if (!endStream) stream.end(body);
  const received = await bodyOf(stream);
  const { ':status': status, ...rest } = head;
  if (status === undefined) throw new Error('the stream ended without an answer');
  return { status: Number(status), headers: rest, body: received, trailers };
}

async function bodyOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
