import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Log } from './log.ts';
import { type HttpVersion, sniffProtocol } from './sniff-protocol.ts';

/** Where to listen. */
export interface ListenAddress {
  readonly host: string;
  /** 0: a free one, which {@link Listener.port} tells. */
  readonly port: number;
}

/** The certificate chain and the key of a server, in PEM. */
export interface ServerCertificate {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

/** Where a server is reached. */
export interface Listener {
  readonly host: string;
  readonly port: number;
  readonly scheme: 'http' | 'https';
}

/** An address that is listened on. */
export interface OpenListener extends Listener {
  /** Takes no further connections. Those that have said what they speak stay open. */
  close(): void;
  /** Drops the connections that have not said yet what they speak. */
  dropUndecided(): void;
}

/** What {@link openListener} needs. */
export interface ListenerOptions {
  readonly tls: ServerCertificate | undefined;
  /** How long a client may take to send its first bytes, or for its TLS handshake, in milliseconds. */
  readonly firstBytesTimeoutMs: number;
  /** Connections over this number are dropped as they come; `onDrop` is told. */
  readonly maxSockets: number;
  readonly onDrop: () => void;
  /** Is told of each connection, before it is known what it speaks. */
  readonly onAccept: () => void;
  /** Is handed a connection, with all of its bytes, once it is known what it speaks. */
  readonly onConnection: (socket: Socket, version: HttpVersion) => void;
  readonly log: Log;
}

/**
 * Listens on one address for HTTP/1.1 and HTTP/2 alike: in cleartext told apart by the first bytes, under TLS by ALPN.
 *
 * Throws an Error that names the address, and says what to do, where it cannot listen there.
 */
export async function openListener(address: ListenAddress, options: ListenerOptions): Promise<OpenListener> {
  const { tls, log } = options;
  const undecided = new Set<Socket>();
  const server =
    tls === undefined ? createCleartext(options, undecided) : createEncrypted(tls, options, undecided);
  server.maxConnections = options.maxSockets;
  // Else a worker of a cluster hands such a connection back, to another that may have to do the same. (The types do not know it yet.)
  Object.assign(server, { dropMaxConnection: true });
  server.on('drop', options.onDrop);
  server.on('connection', options.onAccept);
  await listen(server, address);
  server.on('error', (error) => log.error({ error, ...address }, 'a connection could not be accepted'));
  const bound = server.address();
  return {
    host: address.host,
    port: typeof bound === 'object' && bound !== null ? bound.port : address.port,
    scheme: tls === undefined ? 'http' : 'https',
    close: () => server.close(),
    dropUndecided: () => {
      for (const socket of undecided) socket.destroy();
    },
  };
}

function createCleartext(options: ListenerOptions, undecided: Set<Socket>): Server {
  // HTTP/1 and HTTP/2 end their connections themselves, hence allowHalfOpen.
  return createServer({ noDelay: true, allowHalfOpen: true }, (socket) => decide(socket, options, undecided));
}

function createEncrypted(tls: ServerCertificate, options: ListenerOptions, undecided: Set<Socket>): Server {
  const server = createTlsServer({
    cert: tls.cert,
    key: tls.key,
    ALPNProtocols: ['h2', 'http/1.1'],
    handshakeTimeout: options.firstBytesTimeoutMs,
    noDelay: true,
  });
  server.on('tlsClientError', (error, socket) => {
    options.log.debug({ error }, 'a TLS handshake failed');
    socket.destroy();
  });
  server.on('secureConnection', (socket) => {
    if (socket.alpnProtocol === 'h2') options.onConnection(socket, 'http2');
    else if (socket.alpnProtocol === 'http/1.1') options.onConnection(socket, 'http1');
    else decide(socket, options, undecided);
  });
  return server;
}

function decide(socket: Socket, options: ListenerOptions, undecided: Set<Socket>): void {
  undecided.add(socket);
  socket.once('close', () => undecided.delete(socket));
  sniffProtocol(socket, options.firstBytesTimeoutMs, (version) => {
    undecided.delete(socket);
    options.onConnection(socket, version);
  });
}

function listen(server: Server, { host, port }: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error) => reject(cannotListen(host, port, error));
    server.once('error', onError);
    server.listen({ host, port }, () => {
      server.off('error', onError);
      resolve();
    });
  });
}

function cannotListen(host: string, port: number, cause: NodeJS.ErrnoException): Error {
  return new Error(`Cannot listen on ${host}:${port}: ${advice(cause)}`, { cause });
}

function advice(cause: NodeJS.ErrnoException): string {
  switch (cause.code) {
    case 'EADDRINUSE':
      return 'another process listens there already; stop it, or choose another port';
    case 'EACCES':
      return 'this user may not; choose a port above 1023, or allow the process to bind lower ones';
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return 'this machine has no such address; choose one of its own, or 0.0.0.0 for all of them';
    default:
      return cause.message;
  }
}
