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
  /** Passes nothing on, of old connections and new ones, while they stay open; what comes waits. */
  stall(...directions: readonly Direction[]): void;
  /** Ends all stalls. */
  unstall(): void;
  /** Passes everything on so much later. */
  delay(milliseconds: number): void;
  /** Passes on at most so many bytes a second, each way and for each connection. */
  limit(bytesPerSecond: number): void;
}

const HOST = '127.0.0.1';

/** Starts a proxy in front of a port. Of a stalled connection it reads no more than one piece, so that the sender's buffers fill. */
export async function startFaultProxy(targetPort: number): Promise<FaultProxy> {
  const pairs = new Set<readonly [client: Socket, server: Socket]>();
  const passed: Record<Direction, number> = { toClient: 0, toServer: 0 };
  const stalled = new Map<Direction, PromiseWithResolvers<void>>();
  const cuts = new Set<{ readonly direction: Direction; readonly at: number; readonly done: () => void }>();
  let connections = 0;
  let refused = 0;
  let isRefusing = false;
  let delayMs = 0;
  let bytesPerSecond = Number.POSITIVE_INFINITY;

  function cut(): void {
    for (const [client, server] of pairs) {
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

  async function pass(from: Socket, to: Socket, direction: Direction): Promise<void> {
    let sent = Promise.resolve();
    async function send(chunk: Buffer, latencyMs: number): Promise<void> {
      await Promise.all([sent, latencyMs > 0 ? delay(latencyMs) : undefined]);
      await stalled.get(direction)?.promise;
      if (to.destroyed) return;
      to.write(chunk);
      count(direction, chunk.length);
    }
    // What follows one chunk waits for it, so that memory here is bounded; a delay alone lets the next one begin.
    for await (const chunk of from as AsyncIterable<Buffer>) {
      sent = send(chunk, delayMs);
      if (delayMs === 0 || stalled.has(direction)) await sent;
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
    const upstream = connectTcp({ host: HOST, port: targetPort, allowHalfOpen: true, noDelay: true });
    client.setNoDelay(true);
    const pair = [client, upstream] as const;
    pairs.add(pair);
    for (const [one, other] of [pair, [upstream, client] as const]) {
      one.on('error', () => {});
      one.on('close', () => {
        pairs.delete(pair);
        other.destroy();
      });
    }
    // A connection that breaks ends both ways; the sockets tell each other.
    pass(client, upstream, 'toServer').catch(() => upstream.destroy());
    pass(upstream, client, 'toClient').catch(() => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;

  function unstall(): void {
    for (const { resolve } of stalled.values()) resolve();
    stalled.clear();
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
    stall(...directions) {
      for (const direction of directions) stalled.set(direction, Promise.withResolvers());
    },
    unstall,
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
