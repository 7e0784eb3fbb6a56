import { afterEach, describe, expect, it } from 'vitest';
import type { Http2Stream } from '../../../src/transport/http2/http2-stream.ts';
import { CODE, SETTING } from '../../../src/transport/http2/protocol.ts';
import { eventually } from '../../support/eventually.ts';
import {
  hpackField,
  hpackFields,
  hpackIndex,
  hpackTableSize,
  NEWEST_INDEX,
} from '../../support/hpack-encoder.ts';
import { ACK, END_HEADERS, END_STREAM, FRAME, frame, hpack } from '../../support/http2-frames.ts';
import {
  type Http2Socket,
  openHttp2Socket,
  requestFields,
  settingsPayload,
} from '../../support/open-http2-socket.ts';
import { answering, type Http2TestServer, startHttp2Server } from '../transport/http2/start-http2-server.ts';

/** More than what a connection bears at once, together with what the time that it takes to send them brings. */
const TOO_MANY = 60_000;
const MIB = 1024 * 1024;
const FIELDS = requestFields('POST', '/');
const REQUEST = hpack(FIELDS);

let server: Http2TestServer;

afterEach(async () => {
  await server?.[Symbol.asyncDispose]();
});

function request(stream: number, flags = END_HEADERS | END_STREAM, payload: Uint8Array = REQUEST): Buffer {
  return frame(FRAME.headers, { stream, flags, payload });
}

function reset(stream: number): Buffer {
  return frame(FRAME.rstStream, { stream, payload: Buffer.of(0, 0, 0, 8) });
}

function resetsOf(client: Http2Socket): readonly number[] {
  return client.of(FRAME.rstStream).map(({ payload }) => payload.readUInt32BE(0));
}

/** Sends frames, all at once, that must end the connection as too many. */
async function expectEnough(frames: (n: number) => readonly Buffer[], opened = ignore): Promise<void> {
  server = await startHttp2Server(opened);
  using client = await openHttp2Socket(server.port);
  client.send(Buffer.concat(Array.from({ length: TOO_MANY }, (_, n) => frames(n)).flat()));
  expect(await client.closed()).toBe(CODE.enhanceYourCalm);
  expect(server.failures[0]).toMatchObject({ code: CODE.enhanceYourCalm });
}

function ignore(stream: Http2Stream): void {
  stream.receiver = { data: () => true, end() {}, closed() {} };
}

describe('a connection of HTTP/2', () => {
  it('ends where its client resets streams as soon as it has opened them, without end', async () => {
    let open = 0;
    await expectEnough(
      (n) => [request(2 * n + 1), reset(2 * n + 1)],
      (stream) => {
        open += 1;
        stream.receiver = {
          data: () => true,
          end() {},
          closed() {
            open -= 1;
          },
        };
      },
    );
    expect(open).toBe(0);
  });

  it.each([
    [
      'windows that grow by 0',
      (id: number) => [request(id), frame(FRAME.windowUpdate, { stream: id, payload: Buffer.alloc(4) })],
    ],
    ['data behind its end', (id: number) => [request(id), frame(FRAME.data, { stream: id })]],
    [
      'a priority that is cut off',
      (id: number) => [request(id), frame(FRAME.priority, { stream: id, payload: Buffer.alloc(4) })],
    ],
    ['a malformed request', (id: number) => [request(id, END_HEADERS, hpack([['x', '1']]))]],
    ['nothing at all', (id: number) => [request(id, END_HEADERS, Buffer.alloc(0))]],
  ])('ends where its client has the server reset streams without end: by %s', async (_, frames) => {
    await expectEnough((n) => frames(2 * n + 1));
  });

  it.each([
    ['settings', () => [frame(FRAME.settings)]],
    [
      'empty data',
      (n: number) => [...(n === 0 ? [request(1, END_HEADERS)] : []), frame(FRAME.data, { stream: 1 })],
    ],
    [
      'data that is padding',
      (n: number) => [
        ...(n === 0 ? [request(1, END_HEADERS)] : []),
        frame(FRAME.data, { stream: 1, flags: 0x8, payload: Buffer.of(1, 0) }),
      ],
    ],
    ['priorities', () => [frame(FRAME.priority, { stream: 1, payload: Buffer.of(0, 0, 0, 3, 1) })]],
    ['goodbyes', () => [frame(FRAME.goaway, { payload: Buffer.alloc(8) })]],
    ['frames of an unknown type', () => [frame(0xfe)]],
  ])('ends where it brings %s without end', async (_, frames) => {
    await expectEnough(frames);
  });

  it.each([
    ['empty continuations', Buffer.alloc(0)],
    ['large continuations', hpackField('x', 'y'.repeat(16_000))],
  ])('ends where it brings %s without end', async (_, payload) => {
    server = await startHttp2Server(ignore);
    using client = await openHttp2Socket(server.port);
    client.send(request(1, 0), ...Array<Buffer>(100).fill(frame(FRAME.continuation, { stream: 1, payload })));
    expect(await client.closed()).toBe(CODE.enhanceYourCalm);
  });

  it('ends where it brings a frame of more than 16 KiB', async () => {
    server = await startHttp2Server(ignore);
    using client = await openHttp2Socket(server.port);
    client.send(frame(FRAME.data, { stream: 1, length: 16_385 }));
    expect(await client.closed()).toBe(CODE.frameSizeError);
  });

  it('refuses lists of fields that grow large by naming a large one over and over', async () => {
    server = await startHttp2Server(answering(Buffer.alloc(1)));
    using client = await openHttp2Socket(server.port);
    const large = hpackField('x', 'y'.repeat(4_000), { isKept: true });
    client.send(request(1, END_HEADERS | END_STREAM, Buffer.concat([REQUEST, large])));
    const bomb = Buffer.concat([REQUEST, ...Array<Buffer>(16_000).fill(hpackIndex(NEWEST_INDEX))]);
    for (let n = 1; n <= 100; n += 1) client.send(request(2 * n + 1, END_HEADERS | END_STREAM, bomb));
    client.send(request(301));
    await eventually(() => expect(client.isEnded(301)).toBe(true));
    expect(resetsOf(client)).toEqual(Array(100).fill(CODE.enhanceYourCalm));
  });

  it('bears headers that change the size of the table thousands of times', async () => {
    server = await startHttp2Server(answering(Buffer.alloc(1)));
    using client = await openHttp2Socket(server.port);
    const sizes = Array.from({ length: 4_000 }, (_, n) => hpackTableSize(n % 2 === 0 ? 0 : 4_096));
    const kept = hpackFields(
      Array.from({ length: 20 }, (_, n) => [`x-${n}`, '1']),
      { isKept: true },
    );
    const payload = Buffer.concat([...sizes, REQUEST, kept]);
    for (let n = 0; n < 100; n += 1) client.send(request(2 * n + 1, END_HEADERS | END_STREAM, payload));
    await eventually(() => expect(client.isEnded(199)).toBe(true));
  });

  it('refuses a stream that is one too many, and goes on', async () => {
    const streams: Http2Stream[] = [];
    server = await startHttp2Server((stream) => void streams.push(stream));
    using client = await openHttp2Socket(server.port);
    for (let n = 0; n < 20_001; n += 1) client.send(request(2 * n + 1));
    await eventually(() => expect(client.of(FRAME.rstStream)).toHaveLength(1));
    expect(client.of(FRAME.rstStream)).toMatchObject([
      { stream: 40_001, payload: Buffer.of(0, 0, 0, CODE.refusedStream) },
    ]);
    streams[0]?.beginAndEnd(204, []);
    client.request(40_003, '/');
    await client.settled();
    expect(streams).toHaveLength(20_001);
    expect(resetsOf(client)).toHaveLength(1);
  });
});

describe('a client of HTTP/2 that does not read', () => {
  it.each([
    ['pings', frame(FRAME.ping, { payload: Buffer.alloc(8) })],
    ['requests that have no body', undefined],
  ])('is read no further once so many answers wait for it: to %s', async (_, ping) => {
    server = await startHttp2Server((stream) => stream.beginAndEnd(404, ['x', 'y'.repeat(100)]));
    using client = await openHttp2Socket(server.port);
    await client.settled();
    client.socket.pause();
    let sent = 0;
    const [connection] = server.connections;
    // It stops to read, so that in the end nothing more can be sent.
    await eventually(async () => {
      while (client.socket.writableLength < MIB) {
        const frames = Array.from({ length: 1_000 }, () => ping ?? request(2 * sent++ + 1));
        client.send(...frames);
      }
      await new Promise(setImmediate);
      expect(connection?.socket.isPaused()).toBe(true);
    });
    expect(connection?.socket.writableLength).toBeLessThan(4 * MIB);
    client.socket.resume();
    await client.settled();
    expect(connection?.socket.isPaused()).toBe(false);
  });

  it('is sent no more of large answers than its socket takes', async () => {
    server = await startHttp2Server(answering(Buffer.alloc(4 * MIB)));
    using client = await openHttp2Socket(
      server.port,
      settingsPayload([SETTING.initialWindowSize, 2 ** 31 - 1]),
    );
    client.grant(0, 2 ** 30);
    client.socket.pause();
    for (let n = 0; n < 20; n += 1) client.request(2 * n + 1, '/');
    await eventually(() => expect(server.connections[0]?.queue.waitingBytes).toBeGreaterThan(MIB));
    expect(server.connections[0]?.socket.writableLength).toBeLessThan(MIB);
    client.socket.resume();
    await eventually(() => expect(client.isEnded(39)).toBe(true));
  });

  it('is refused further streams once 256 MiB wait for its windows', async () => {
    const body = Buffer.alloc(64 * MIB);
    server = await startHttp2Server(answering(body));
    using client = await openHttp2Socket(server.port, settingsPayload([SETTING.initialWindowSize, 0]));
    for (let n = 0; n < 6; n += 1) client.request(2 * n + 1, '/');
    await eventually(() => expect(resetsOf(client)).toEqual([CODE.refusedStream]));
    client.send(reset(1), reset(3));
    client.request(13, '/');
    await client.settled();
    expect(client.of(FRAME.headers, 13)).toHaveLength(1);
  });
});

describe('a client of HTTP/2 that opens its windows byte by byte', () => {
  it('is served in turn, and what waits for it is kept once', async () => {
    const streams = Array.from({ length: 50 }, (_, n) => 2 * n + 1);
    server = await startHttp2Server(answering(Buffer.alloc(MIB)));
    using client = await openHttp2Socket(server.port, settingsPayload([SETTING.initialWindowSize, 2 ** 30]));
    for (const stream of streams) client.request(stream, '/');
    await client.settled();
    const before = new Map(streams.map((stream) => [stream, client.body(stream).length]));
    for (let n = 0; n < 500; n += 1) client.grant(0, 1);
    await client.settled();
    expect(streams.map((stream) => client.body(stream).length - (before.get(stream) ?? 0))).toEqual(
      Array(50).fill(10),
    );
  });

  it('cannot keep the server busy with settings that change the windows of all streams', async () => {
    server = await startHttp2Server(answering(Buffer.alloc(1)));
    using client = await openHttp2Socket(server.port, settingsPayload([SETTING.initialWindowSize, 0]));
    const streams = 10_000;
    for (let n = 0; n < streams; n += 1) client.send(request(2 * n + 1));
    await eventually(() => expect(client.of(FRAME.headers)).toHaveLength(streams));
    const pairs = Array.from({ length: 2_700 }, (_, n) => [SETTING.initialWindowSize, n % 2] as const);
    const payload = settingsPayload(...pairs, [SETTING.initialWindowSize, 0]);
    const usedBefore = process.cpuUsage();
    for (let n = 0; n < 10; n += 1) client.send(frame(FRAME.settings, { payload }));
    await eventually(() =>
      expect(client.of(FRAME.settings).filter(({ flags }) => flags & ACK)).toHaveLength(11),
    );
    const used = process.cpuUsage(usedBefore);
    // One by one, these would be hundreds of millions of steps.
    expect((used.user + used.system) / 1_000).toBeLessThan(3_000);
    for (let n = 0; n < 3_000; n += 1)
      client.send(frame(FRAME.settings, { payload: payload.subarray(0, 6) }));
    expect(await client.closed()).toBe(CODE.enhanceYourCalm);
  });
});
