import { connect as connectHttp2, constants, type IncomingHttpHeaders } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { eventually } from '../../support/eventually.ts';

/** A socket that keeps what it receives as text. */
export interface RawSocket extends Disposable {
  readonly socket: Socket;
  send(bytes: string | Uint8Array): void;
  /** Everything received so far. */
  readonly received: Buffer;
  readonly isClosed: boolean;
  /** Resolves with everything received, once the other side has closed the connection. */
  readonly closed: Promise<string>;
  /** Resolves once what was received includes `text`. */
  sees(text: string | Buffer): Promise<string>;
}

/** Opens a connection to a port of loopback. */
export async function openRawSocket(port: number): Promise<RawSocket> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => void chunks.push(chunk));
  socket.on('error', () => {});
  let isClosed = false;
  const closed = new Promise<string>((resolve) => {
    socket.on('close', () => {
      isClosed = true;
      resolve(Buffer.concat(chunks).toString('latin1'));
    });
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  return {
    socket,
    send: (bytes) => void socket.write(bytes),
    get received() {
      return Buffer.concat(chunks);
    },
    get isClosed() {
      return isClosed;
    },
    closed,
    sees: (text) =>
      eventually(() => {
        const received = Buffer.concat(chunks);
        if (!received.includes(text)) throw new Error(`not in: ${received.toString('latin1')}`);
        return received.toString('latin1');
      }),
    [Symbol.dispose]: () => void socket.destroy(),
  };
}

/** What an HTTP/2 request was answered with. */
export interface Http2Answer {
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Whether the head is all there is, as gRPC wants it of an answer without messages. */
  readonly endsWithHead: boolean;
}

/** Sends one request over a connection of its own, and returns the whole answer. */
export async function requestHttp2(
  baseUrl: string,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array = Buffer.alloc(0),
  options: object = {},
): Promise<Http2Answer> {
  const session = connectHttp2(baseUrl, options);
  try {
    return await new Promise((resolve, reject) => {
      session.on('error', reject);
      const stream = session.request({ ':method': 'POST', ...headers });
      const chunks: Buffer[] = [];
      let received: IncomingHttpHeaders = {};
      let trailers: IncomingHttpHeaders = {};
      let endsWithHead = false;
      stream.on('response', (head, flags) => {
        received = head;
        endsWithHead = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
      });
      stream.on('trailers', (tail) => {
        trailers = tail;
      });
      stream.on('data', (chunk: Buffer) => void chunks.push(chunk));
      stream.on('close', () =>
        resolve({ headers: received, trailers, body: Buffer.concat(chunks), endsWithHead }),
      );
      stream.on('error', reject);
      if (body.length > 0) stream.write(body);
      if (!stream.writableEnded) stream.end();
    });
  } finally {
    session.close();
  }
}

/** Returns one message in the envelope that gRPC, gRPC-Web and Connect's streams share. */
export function envelope(message: Uint8Array, flags = 0): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flags);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** Returns Node's headers as the web's, pseudo-headers left out. */
export function toHeaders(headers: IncomingHttpHeaders): Headers {
  const fields = Object.entries(headers).filter(([name]) => !name.startsWith(':'));
  return new Headers(fields.map(([name, value]) => [name, String(value)]));
}
