import { connect } from 'node:net';

/** What a client does once its bytes are sent. */
export interface ExchangeOptions {
  /** `keep` the connection open both ways, say that nothing more comes (`end`), or `reset` it. @default 'end' */
  readonly finish?: 'keep' | 'end' | 'reset';
  /** How long the other side may take to close the connection, in milliseconds. @default 30000 */
  readonly timeoutMs?: number;
}

/** Sends bytes to a port of loopback, and resolves with what came back once the connection is closed. */
export async function exchangeBytes(
  port: number,
  bytes: string | Uint8Array,
  { finish = 'end', timeoutMs = 30_000 }: ExchangeOptions = {},
): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const received: Buffer[] = [];
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  const timer = setTimeout(() => {
    reject(new Error(`the connection is still open after ${timeoutMs} ms, with ${Buffer.concat(received)}`));
    socket.destroy();
  }, timeoutMs);
  socket.on('data', (chunk) => received.push(chunk));
  // A reset is an end like any other.
  socket.on('error', () => {});
  socket.on('close', () => {
    clearTimeout(timer);
    resolve(Buffer.concat(received));
  });
  socket.on('connect', () => {
    socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes, () => {
      if (finish === 'end') socket.end();
      if (finish === 'reset') socket.resetAndDestroy();
    });
  });
  return promise;
}
