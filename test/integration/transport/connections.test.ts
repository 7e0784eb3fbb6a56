import { connect as connectHttp2 } from 'node:http2';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { PROTOCOLS } from '../../support/protocols.ts';
import { openRawSocket, type RawSocket } from './raw-http.ts';
import { startToy } from './toy-server.ts';

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const SETTINGS = Buffer.from('000000040000000000', 'hex');
/** Of the head of a frame (RFC 9113, 6.7): its type, and the flag of an answer. */
const PING = 6;
const ACK = 1;
const CHECK = '/grpc.health.v1.Health/Check';
/** More than Node by itself lets a client cancel at once. */
const STREAMS = 1_200;
const LOOPBACK = { host: '127.0.0.1', port: 0 };
/** For how long the process does nothing but what a test has it do. */
const BLOCKED_MS = 4_000;
const [grpc] = PROTOCOLS;

describe('a listener', () => {
  it('listens on several addresses', async () => {
    await using toy = await startToy({}, { listen: [LOOPBACK, { host: '::1', port: 0 }, LOOPBACK] });
    expect(toy.server.listeners.map(({ host, scheme }) => `${scheme}://${host}`)).toEqual([
      'http://127.0.0.1',
      'http://::1',
      'http://127.0.0.1',
    ]);
    for (const { host, port } of toy.server.listeners) {
      const base = host.includes(':') ? `http://[${host}]:${port}` : `http://${host}:${port}`;
      expect(
        (
          await fetch(base + CHECK, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: '{}',
          })
        ).status,
      ).toBe(200);
    }
  });

  it('names the address and what to do where another listens, and leaves none of the others open', async () => {
    await using taken = await startToy();
    await using probe = await startToy();
    const free = { host: '127.0.0.1', port: probe.port };
    await probe.server.drain();
    const start = startToy({}, { listen: [free, { host: '127.0.0.1', port: taken.port }] });
    await expect(start).rejects.toThrow(
      `Cannot listen on 127.0.0.1:${taken.port}: another process listens there already; stop it`,
    );
    await using again = await startToy({}, { listen: [free] });
    expect(again.port).toBe(probe.port);
  });

  it('names an address that is not this machine’s', async () => {
    await expect(startToy({}, { listen: [{ host: '192.0.2.1', port: 0 }] })).rejects.toThrow(
      /Cannot listen on 192.0.2.1:0: this machine/,
    );
  });

  it.each([1, 2, 3, 10])('tells HTTP/2 from HTTP/1.1 where the first packet has %i bytes', async (bytes) => {
    await using toy = await startToy();
    using http2 = await openRawSocket(toy.port);
    http2.send(PREFACE.slice(0, bytes));
    using http1 = await openRawSocket(toy.port);
    const request = `PROPFIND ${CHECK} HTTP/1.1\r\nHost: x\r\n\r\n`;
    http1.send(request.slice(0, bytes));
    await nextPacket();
    http2.send(PREFACE.slice(bytes));
    http2.send(SETTINGS);
    http1.send(request.slice(bytes));
    await http2.sees(Buffer.from('000000040100000000', 'hex'));
    await http1.sees('HTTP/1.1 405');
    expect(toy.server.stats()).toMatchObject({ http1Connections: 1, http2Connections: 1 });
  });

  it('drops a client that says nothing, or too little to tell', async () => {
    await using toy = await startToy({}, { firstBytesTimeoutMs: 50 });
    using mute = await openRawSocket(toy.port);
    using halfway = await openRawSocket(toy.port);
    halfway.send('PR');
    await Promise.all([mute.closed, halfway.closed]);
    expect(mute.received.length + halfway.received.length).toBe(0);
  });

  it('drops nobody whose first bytes wait to be read by a process that is short of time', async () => {
    await using toy = await startToy({}, { firstBytesTimeoutMs: BLOCKED_MS / 2 });
    using client = await openRawSocket(toy.port);
    using other = await openRawSocket(toy.port);
    // In the midst of reading from others: time-outs come next, before what has arrived meanwhile is read.
    other.socket.once('data', () => {
      client.send('GET /none HTTP/1.1\r\nHost: x\r\n\r\n');
      block();
    });
    other.send('GET /none HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(await client.sees('404')).toMatch(/^HTTP\/1.1 404/);
  });

  it('uses no processor while a client has said too little to tell', async () => {
    await using toy = await startToy();
    using halfway = await openRawSocket(toy.port);
    halfway.send('PR');
    await nextPacket();
    const before = performance.eventLoopUtilization();
    await new Promise((resolve) => setTimeout(resolve, 500));
    // A loop that spins never waits, however little of a processor it gets.
    expect(performance.eventLoopUtilization(before).utilization).toBeLessThan(0.5);
  });
});

describe('an HTTP/2 connection', () => {
  it('is dropped with its streams when the peer does not answer pings', async () => {
    await using toy = await startToy({}, { pingIntervalMs: 50 });
    using dead = await openRawSocket(toy.port);
    dead.send(PREFACE);
    dead.send(SETTINGS);
    await dead.closed;
    await eventually(() => expect(toy.server.stats().http2Connections).toBe(0));
  });

  it('stays open where the answer waits to be read by a process that is short of time', async () => {
    await using toy = await startToy({}, { pingIntervalMs: BLOCKED_MS / 4 });
    using peer = await openRawSocket(toy.port);
    let answers = 0;
    peer.socket.on('data', (frame: Buffer) => {
      if (frame[3] !== PING || frame[4] === ACK) return;
      peer.send(frame.fill(ACK, 4, 5));
      answers += 1;
      if (answers === 1) block();
    });
    peer.send(PREFACE);
    peer.send(SETTINGS);
    await eventually(() => expect(answers).toBeGreaterThan(1));
    expect(peer.isClosed).toBe(false);
  });

  it('stays open for as long as the peer answers them', async () => {
    await using toy = await startToy({}, { pingIntervalMs: 500 });
    const session = connectHttp2(toy.baseUrl);
    let pings = 0;
    session.on('ping', () => {
      pings += 1;
    });
    await eventually(() => expect(pings).toBeGreaterThan(4));
    expect(toy.server.stats().http2Connections).toBe(1);
    session.destroy();
  });

  it('carries many streams, and survives as many cancellations at once', async () => {
    await using toy = await startToy();
    const session = connectHttp2(toy.baseUrl);
    const watch = () => {
      const stream = session.request({
        ':method': 'POST',
        ':path': '/grpc.health.v1.Health/Watch',
        'content-type': 'application/grpc',
      });
      stream.on('error', () => {});
      stream.end(Buffer.alloc(5));
      return stream;
    };
    const streams = Array.from({ length: STREAMS }, watch);
    await Promise.all(streams.map((stream) => new Promise((resolve) => stream.once('data', resolve))));
    expect(toy.server.stats().streams).toBe(STREAMS);
    for (const stream of streams.slice(1)) stream.close(8);
    await eventually(() => expect(toy.server.stats().streams).toBe(1));
    expect(session.destroyed).toBe(false);
    session.destroy();
    await eventually(() =>
      expect(toy.server.stats()).toMatchObject({ streams: 0, calls: 0, connections: 0 }),
    );
  });
});

describe('a server at its limit of connections', () => {
  it('refuses further ones in their protocol, logs that once, and takes new ones when there is room', async () => {
    await using toy = await startToy({}, { maxConnections: 2 });
    const open = [await greeted(toy.port), await greeted(toy.port)];
    for (let i = 0; i < 3; i++) {
      using http1 = await openRawSocket(toy.port);
      http1.send(`POST ${CHECK} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}`);
      expect(await http1.closed).toMatch(/^HTTP\/1.1 503 .*LIMIT_REACHED/s);
    }
    const session = connectHttp2(toy.baseUrl);
    const goaway = new Promise((resolve) => session.on('goaway', (code) => resolve(code)));
    session.on('error', () => {});
    expect(await goaway).toBe(11);
    expect(toy.server.stats()).toMatchObject({ connections: 2, refusedConnections: 4 });
    expect(toy.logged.filter(({ level }) => level === 'warn')).toHaveLength(1);

    open[0]?.socket.destroy();
    await eventually(() => expect(toy.server.stats().connections).toBe(1));
    expect((await toy.health(grpc as NonNullable<typeof grpc>).check({})).status).toBe(1);
    open[1]?.socket.destroy();
  });

  it('drops what comes when it has no hand free even to refuse', async () => {
    await using toy = await startToy({}, { maxConnections: 1 });
    const mutes = await Promise.all(Array.from({ length: 300 }, () => openRawSocket(toy.port)));
    await eventually(() => expect(mutes.filter(({ isClosed }) => isClosed)).toHaveLength(300 - 257));
    expect(toy.server.stats().refusedConnections).toBe(300 - 257);
    expect(toy.logged.filter(({ level }) => level === 'warn')).toHaveLength(1);
    for (const mute of mutes) mute.socket.destroy();
  });
});

/** Keeps this process, client and server, from all else. */
function block(): void {
  const startMs = performance.now();
  while (performance.now() - startMs < BLOCKED_MS);
}

async function greeted(port: number): Promise<RawSocket> {
  const socket = await openRawSocket(port);
  socket.send('GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n');
  await socket.sees('404');
  return socket;
}

/** Long enough for what was sent to arrive as a packet of its own. */
function nextPacket(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}
