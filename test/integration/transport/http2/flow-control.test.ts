import { once } from 'node:events';
import { connect } from 'node:http2';
import { describe, expect, it } from 'vitest';
import type { Http2Stream } from '../../../../src/transport/http2/http2-stream.ts';
import {
  CODE,
  DEFAULT_WINDOW_BYTES,
  FRAME_BYTES,
  SETTING,
} from '../../../../src/transport/http2/protocol.ts';
import { eventually } from '../../../support/eventually.ts';
import { FRAME, frame } from '../../../support/http2-frames.ts';
import { type Http2Socket, openHttp2Socket, settingsPayload } from '../../../support/open-http2-socket.ts';
import { answering, startHttp2Server } from './start-http2-server.ts';

const MIB = 1024 * 1024;

function numbered(size: number): Buffer {
  return Buffer.from(Array.from({ length: size }, (_, i) => i % 251));
}

function windows(bytes: number): Buffer {
  return settingsPayload([SETTING.initialWindowSize, bytes]);
}

function setWindows(client: Http2Socket, bytes: number): void {
  client.send(frame(FRAME.settings, { payload: windows(bytes) }));
}

async function received(client: Http2Socket, stream: number, size: number): Promise<void> {
  await eventually(() => expect(client.body(stream).length).toBe(size));
  await client.settled();
  expect(client.body(stream).length).toBe(size);
}

describe('the body of an answer', () => {
  it('waits for windows, and grows with them byte by byte', async () => {
    const body = numbered(1_000);
    await using server = await startHttp2Server(answering(body));
    using client = await openHttp2Socket(server.port, windows(0));
    client.request(1, '/');
    await eventually(() => expect(client.of(FRAME.headers, 1)).toHaveLength(1));
    await received(client, 1, 0);
    let size = 0;
    for (const more of [1, 1, 2, 7, 100]) {
      client.grant(1, more);
      size += more;
      await received(client, 1, size);
    }
    expect(client.isEnded(1)).toBe(false);
    client.grant(1, 1_000_000);
    await eventually(() => expect(client.isEnded(1)).toBe(true));
    expect(client.body(1)).toEqual(body);
  });

  it('waits for the window of the connection, which other streams have used up', async () => {
    await using server = await startHttp2Server(answering(numbered(100_000)));
    using client = await openHttp2Socket(server.port, windows(MIB));
    client.request(1, '/');
    await received(client, 1, DEFAULT_WINDOW_BYTES);
    client.request(3, '/');
    await received(client, 3, 0);
    client.grant(0, 1);
    await received(client, 1, DEFAULT_WINDOW_BYTES + 1);
    client.grant(0, MIB);
    await eventually(() => expect([1, 3].map(client.isEnded)).toEqual([true, true]));
    for (const stream of [1, 3]) expect(client.body(stream)).toEqual(numbered(100_000));
  });

  it('does not wait for another stream whose own window is used up', async () => {
    await using server = await startHttp2Server(answering(numbered(20_000)));
    using client = await openHttp2Socket(server.port, windows(10));
    client.request(1, '/');
    await received(client, 1, 10);
    setWindows(client, 30_000);
    client.request(3, '/');
    await eventually(() => expect([1, 3].map(client.isEnded)).toEqual([true, true]));
    setWindows(client, 0);
    client.request(5, '/');
    await received(client, 5, 0);
    setWindows(client, 5);
    client.request(7, '/');
    client.grant(7, 20_000);
    await eventually(() => expect(client.isEnded(7)).toBe(true));
    await received(client, 5, 5);
  });

  it('sends nothing while settings have made its window negative', async () => {
    await using server = await startHttp2Server(answering(numbered(1_000)));
    using client = await openHttp2Socket(server.port, windows(100));
    client.request(1, '/');
    await received(client, 1, 100);
    setWindows(client, 40);
    client.grant(1, 60);
    await received(client, 1, 100);
    client.grant(1, 1);
    await received(client, 1, 101);
    setWindows(client, 140);
    await received(client, 1, 201);
  });

  it('takes the last of several windows in one frame of settings', async () => {
    await using server = await startHttp2Server(answering(numbered(1_000)));
    const settings = [SETTING.initialWindowSize, 500] as const;
    const pairs = [[SETTING.initialWindowSize, 0], settings, [SETTING.initialWindowSize, 70]] as const;
    using client = await openHttp2Socket(server.port, settingsPayload(...pairs));
    client.request(1, '/');
    await received(client, 1, 70);
  });

  it('takes turns with others, a frame each', async () => {
    const streams = [1, 3, 5, 7, 9, 11, 13, 15];
    await using server = await startHttp2Server(answering(numbered(10 * FRAME_BYTES)));
    using client = await openHttp2Socket(server.port, windows(MIB));
    client.grant(0, 2 ** 30);
    // Nothing leaves before all of them wait.
    setWindows(client, 0);
    for (const stream of streams) client.request(stream, '/');
    await client.settled();
    setWindows(client, MIB);
    await eventually(() => expect(streams.every(client.isEnded)).toBe(true));
    const turns = client.of(FRAME.data).filter(({ payload }) => payload.length > 0);
    for (let n = 0; n < 10; n += 1)
      expect(turns.slice(n * 8, n * 8 + 8).map(({ stream }) => stream)).toEqual(streams);
  });

  it('of several MiB comes through tiny windows', async () => {
    const body = numbered(3 * MIB);
    await using server = await startHttp2Server(answering(body));
    using client = await openHttp2Socket(server.port, windows(1_000));
    client.grant(0, 2 ** 30);
    client.request(1, '/');
    let size = 0;
    client.socket.on('data', () => {
      const now = client.of(FRAME.data, 1).reduce((sum, { payload }) => sum + payload.length, 0);
      if (now > size && now < body.length) client.grant(1, now - size + 5_000);
      size = now;
    });
    await eventually(() => expect(client.isEnded(1)).toBe(true));
    expect(client.body(1).equals(body)).toBe(true);
  });

  it('reaches clients of node:http2, many at a time', async () => {
    const body = numbered(2 * MIB);
    await using server = await startHttp2Server(answering(body));
    const session = connect(server.baseUrl);
    const bodies = Array.from({ length: 20 }, async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of session.request({ ':path': '/' })) chunks.push(chunk);
      return Buffer.concat(chunks).equals(body);
    });
    expect(await Promise.all(bodies)).toEqual(Array(20).fill(true));
    session.close();
    await once(session, 'close');
  });

  it('tells its writer when there is enough, and when there is room again', async () => {
    const opened = Promise.withResolvers<Http2Stream>();
    await using server = await startHttp2Server(opened.resolve);
    using client = await openHttp2Socket(server.port, windows(0));
    client.request(1, '/');
    const stream = await opened.promise;
    stream.begin(200, []);
    expect(stream.write([Buffer.alloc(100)])).toBe(true);
    await stream.untilWritable();
    expect(stream.write([Buffer.alloc(FRAME_BYTES)])).toBe(false);
    let hasRoom = false;
    const writable = stream.untilWritable().then(() => {
      hasRoom = true;
    });
    await client.settled();
    expect(hasRoom).toBe(false);
    client.grant(1, MIB);
    await writable;
    expect(stream.waitingBytes).toBe(0);
  });
});

describe('a window that a client grants wrongly', () => {
  it.each([
    ['by 0', 0],
    ['beyond 2 GiB', 2 ** 31 - 1],
  ])('ends its stream alone: %s', async (_, more) => {
    await using server = await startHttp2Server(answering(numbered(100_000)));
    using client = await openHttp2Socket(server.port);
    client.request(1, '/');
    await received(client, 1, DEFAULT_WINDOW_BYTES);
    client.grant(1, 1);
    client.grant(1, more);
    await eventually(() =>
      expect(client.of(FRAME.rstStream, 1).map(({ payload }) => payload.readUInt32BE(0))).toEqual([
        more === 0 ? CODE.protocolError : CODE.flowControlError,
      ]),
    );
    await client.settled();
  });

  it('ends the connection where settings make that of a stream exceed 2 GiB', async () => {
    await using server = await startHttp2Server(() => {});
    using client = await openHttp2Socket(server.port);
    client.request(1, '/');
    client.grant(1, 2 ** 31 - 1 - DEFAULT_WINDOW_BYTES);
    await client.settled();
    setWindows(client, DEFAULT_WINDOW_BYTES + 1);
    expect(await client.closed()).toBe(CODE.flowControlError);
  });
});

describe('the body of a request', () => {
  /** Takes bodies in, and lets each go on only when it is told to. */
  function holding() {
    const streams: Http2Stream[] = [];
    const held: number[] = [];
    return {
      streams,
      held,
      opened(stream: Http2Stream) {
        const place = streams.push(stream) - 1;
        held[place] = 0;
        stream.receiver = {
          data(chunk) {
            held[place] = (held[place] ?? 0) + chunk.length;
            return false;
          },
          end() {},
          closed() {},
        };
      },
    };
  }

  it('of more than its window ends its stream, and not the others', async () => {
    const { opened, held, streams } = holding();
    await using server = await startHttp2Server(opened);
    using client = await openHttp2Socket(server.port);
    for (const stream of [1, 3]) client.request(stream, '/', { hasBody: true });
    for (let sent = 0; sent + FRAME_BYTES <= DEFAULT_WINDOW_BYTES; sent += FRAME_BYTES)
      client.data(1, Buffer.alloc(FRAME_BYTES));
    client.data(1, Buffer.alloc(DEFAULT_WINDOW_BYTES % FRAME_BYTES));
    await client.settled();
    expect(held[0]).toBe(DEFAULT_WINDOW_BYTES);
    client.data(1, Buffer.alloc(1));
    await eventually(() =>
      expect(
        client.of(FRAME.rstStream).map(({ stream, payload }) => [stream, payload.readUInt32BE(0)]),
      ).toEqual([[1, CODE.flowControlError]]),
    );
    client.data(3, Buffer.alloc(10));
    await client.settled();
    expect([held, streams.map(({ isClosed }) => isClosed)]).toEqual([
      [DEFAULT_WINDOW_BYTES, 10],
      [true, false],
    ]);
  });

  it('is granted as much again as is dealt with', async () => {
    const { opened, streams } = holding();
    await using server = await startHttp2Server(opened);
    using client = await openHttp2Socket(server.port);
    client.request(1, '/', { hasBody: true });
    for (let n = 0; n < 3; n += 1) client.data(1, Buffer.alloc(FRAME_BYTES));
    await client.settled();
    expect(client.of(FRAME.windowUpdate, 1)).toEqual([]);
    streams[0]?.consume(FRAME_BYTES);
    streams[0]?.consume(2 * FRAME_BYTES);
    await client.settled();
    expect(client.of(FRAME.windowUpdate, 1).map(({ payload }) => payload.readUInt32BE(0))).toEqual([
      3 * FRAME_BYTES,
    ]);
  });

  it('comes whole however large it is, padding and all', async () => {
    let size = 0;
    const ended = Promise.withResolvers<void>();
    await using server = await startHttp2Server((stream) => {
      stream.receiver = {
        data(chunk) {
          size += chunk.length;
          return true;
        },
        end: ended.resolve,
        closed() {},
      };
    });
    using client = await openHttp2Socket(server.port);
    client.request(1, '/', { hasBody: true });
    let window = DEFAULT_WINDOW_BYTES;
    const payload = Buffer.concat([Buffer.of(255), Buffer.alloc(1_000), Buffer.alloc(255)]);
    for (let sent = 0; sent < 2_000; sent += 1) {
      const granted = () =>
        client.of(FRAME.windowUpdate, 1).reduce((sum, each) => sum + each.payload.readUInt32BE(0), 0);
      if (window + granted() < payload.length)
        await eventually(() => expect(window + granted()).toBeGreaterThanOrEqual(payload.length));
      window -= payload.length;
      client.data(1, payload, { flags: sent === 1_999 ? 0x9 : 0x8 });
    }
    await ended.promise;
    expect(size).toBe(2_000_000);
  });

  it('may not be padded by more than there is', async () => {
    await using server = await startHttp2Server(() => {});
    using client = await openHttp2Socket(server.port);
    client.request(1, '/', { hasBody: true });
    client.data(1, Buffer.of(3, 0, 0), { flags: 0x8 });
    expect(await client.closed()).toBe(CODE.protocolError);
  });
});
