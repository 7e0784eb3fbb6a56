import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** Which way bytes go: to the client that connected to the proxy, or to the server behind it. */
export type Direction = 'toClient' | 'toServer';

/** A TCP proxy in front of one port of loopback that can go wrong at a test's word. It begins as a good one. */
export interface FaultProxy extends AsyncDisposable {
  /** Such as `http://127.0.0.1:41234`. */
  readonly endpoint: string;
  readonly port: number;
  /** Connections that clients have made so far; those that were refused are not among them. */
  readonly connections: number;
  readonly refused: number;
  readonly openConnections: number;
  /** Bytes that have been passed on so far. */
  readonly passed: Readonly<Record<Direction, number>>;
  /** Resets every open connection, on both sides. What is under way is lost. */
  cut(): void;
  /** Cuts as soon as so many more bytes were passed on, once. Resolves then. */
  cutAfter(direction: Direction, bytes: number): Promise<void>;
  /** Resets every connection that is made from now on. */
  refuse(): void;
  /** Ends {@link FaultProxy.refuse}. */
  accept(): void;
  /** Passes nothing on, while connections stay open; what comes waits. @param which `open`: new ones are well. @default 'all' */
  stall(directions: readonly Direction[], which?: 'open' | 'all'): void;
  /** Ends all stalls. */
  unstall(): void;
  /** Connects to another port from now on. */
  retarget(port: number): void;
  /** Passes everything on so much later. */
  delay(milliseconds: number): void;
  /** Passes on at most so many bytes a second, each way and for each connection. */
  limit(bytesPerSecond: number): void;
}

/** One connection, and the one that is made to the server for it. */
interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  /** What waits for the end of a stall. */
  readonly stalls: Map<Direction, PromiseWithResolvers<void>>;
}

const HOST = '127.0.0.1';

/** Starts a proxy in front of a port. Of a stalled connection it reads no more than one piece, so that the sender's buffers fill. */
export async function startFaultProxy(targetPort: number): Promise<FaultProxy> {
  const pairs = new Set<Pair>();
  const passed: Record<Direction, number> = { toClient: 0, toServer: 0 };
  let isStalling: readonly Direction[] = [];
  const cuts = new Set<{ readonly direction: Direction; readonly at: number; readonly done: () => void }>();
  let connections = 0;
  let refused = 0;
  let isRefusing = false;
  let target = targetPort;
  let delayMs = 0;
  let bytesPerSecond = Number.POSITIVE_INFINITY;

  function cut(): void {
    for (const { client, server } of pairs) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
  }

  function count(direction: Direction, bytes: number): void {
    passed[direction] += bytes;
    for (const planned of cuts) {
      if (planned.direction !== direction || passed[direction] < planned.at) continue;
      cuts.delete(planned);
      cut();
      planned.done();
    }
  }

  async function pass({ client, server, stalls }: Pair, direction: Direction): Promise<void> {
    const [from, to] = direction === 'toServer' ? [client, server] : [server, client];
    let sent = Promise.resolve();
    async function send(chunk: Buffer, latencyMs: number): Promise<void> {
      await Promise.all([sent, latencyMs > 0 ? delay(latencyMs) : undefined]);
      await stalls.get(direction)?.promise;
      if (to.destroyed) return;
      to.write(chunk);
      count(direction, chunk.length);
    }
    // What follows one chunk waits for it, so that memory here is bounded; a delay alone lets the next one begin.
    for await (const chunk of from as AsyncIterable<Buffer>) {
      sent = send(chunk, delayMs);
      if (delayMs === 0 || stalls.has(direction)) await sent;
      if (bytesPerSecond < Number.POSITIVE_INFINITY) await delay((chunk.length / bytesPerSecond) * 1_000);
      if (to.writableNeedDrain) await Promise.race([drained(to), closed(from)]);
    }
    await sent;
    to.end();
  }

  const server = createServer({ allowHalfOpen: true }, (client) => {
    client.on('error', () => {});
    if (isRefusing) {
      refused += 1;
      client.resetAndDestroy();
      return;
    }
    connections += 1;
    const upstream = connectTcp({ host: HOST, port: target, allowHalfOpen: true, noDelay: true });
    client.setNoDelay(true);
    const pair: Pair = { client, server: upstream, stalls: new Map() };
    stallPair(pair, isStalling);
    pairs.add(pair);
    for (const [one, other] of [[client, upstream] as const, [upstream, client] as const]) {
      one.on('error', () => {});
      one.on('close', () => {
        pairs.delete(pair);
        other.destroy();
      });
    }
    // A connection that breaks ends both ways; the sockets tell each other.
    pass(pair, 'toServer').catch(() => upstream.destroy());
    pass(pair, 'toClient').catch(() => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;

  function unstall(): void {
    isStalling = [];
    for (const { stalls } of pairs) {
      for (const { resolve } of stalls.values()) resolve();
      stalls.clear();
    }
  }

  return {
    endpoint: `http://${HOST}:${port}`,
    port,
    get connections() {
      return connections;
    },
    get refused() {
      return refused;
    },
    get openConnections() {
      return pairs.size;
    },
    passed,
    cut,
    cutAfter: (direction, bytes) =>
      new Promise((done) => cuts.add({ direction, at: passed[direction] + bytes, done })),
    refuse() {
      isRefusing = true;
    },
    accept() {
      isRefusing = false;
    },
    stall(directions, which = 'all') {
      if (which === 'all') isStalling = directions;
      for (const pair of pairs) stallPair(pair, directions);
    },
    unstall,
    retarget(next) {
      target = next;
    },
    delay(milliseconds) {
      delayMs = milliseconds;
    },
    limit(bytes) {
      bytesPerSecond = bytes;
    },
    async [Symbol.asyncDispose]() {
      unstall();
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function stallPair({ stalls }: Pair, directions: readonly Direction[]): void {
  for (const direction of directions) {
    if (!stalls.has(direction)) stalls.set(direction, Promise.withResolvers());
  }
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('drain', resolve);
    socket.once('close', () => resolve());
  });
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) resolve();
    else socket.once('close', () => resolve());
  });
}
