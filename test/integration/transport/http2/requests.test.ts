import { once } from 'node:events';
import { connect, type IncomingHttpHeaders } from 'node:http2';
import { describe, expect, it } from 'vitest';
import { handleStream } from '../../../../src/transport/http2/http2-exchange.ts';
import type { Http2Stream } from '../../../../src/transport/http2/http2-stream.ts';
import { CODE } from '../../../../src/transport/http2/protocol.ts';
import { eventually } from '../../../support/eventually.ts';
import { END_HEADERS, END_STREAM, FRAME, frame, hpack } from '../../../support/http2-frames.ts';
import { type Http2Socket, openHttp2Socket, requestFields } from '../../../support/open-http2-socket.ts';
import { startHttp2Server } from './start-http2-server.ts';

/** Keeps what each request brings and how it ends, and answers none. */
function recording() {
  const requests: { stream: Http2Stream; body: string; isEnded: boolean; closed: boolean | undefined }[] = [];
  return {
    requests,
    opened(stream: Http2Stream) {
      const request: (typeof requests)[number] = { stream, body: '', isEnded: false, closed: undefined };
      requests.push(request);
      stream.receiver = {
        data(chunk) {
          request.body += chunk.toString();
          return true;
        },
        end() {
          request.isEnded = true;
        },
        closed(isWhole) {
          request.closed = isWhole;
        },
      };
    },
  };
}

function resetsOf(client: Http2Socket): readonly (readonly [stream: number, code: number])[] {
  return client.of(FRAME.rstStream).map(({ stream, payload }) => [stream, payload.readUInt32BE(0)] as const);
}

function headers(stream: number, payload: Uint8Array, flags: number): Buffer {
  return frame(FRAME.headers, { stream, payload, flags });
}

const REQUEST = hpack(requestFields('POST', '/'));
const TRAILERS = hpack([['x-checksum', '1']]);

describe('a request', () => {
  it('ends with its trailers', async () => {
    const { opened, requests } = recording();
    await using server = await startHttp2Server(opened);
    using client = await openHttp2Socket(server.port);
    client.request(1, '/', { hasBody: true });
    client.data(1, Buffer.from('ab'));
    client.send(headers(1, TRAILERS, END_HEADERS | END_STREAM));
    await client.settled();
    expect(requests).toMatchObject([{ body: 'ab', isEnded: true, closed: undefined }]);
  });

  it.each([
    ['do not end it', TRAILERS, END_HEADERS],
    ['have a pseudo-header', hpack([[':path', '/']]), END_HEADERS | END_STREAM],
    ['come before all of its body', TRAILERS, END_HEADERS | END_STREAM, '9'],
  ])('fails where its trailers %s', async (_, payload, flags, length = '2') => {
    const { opened, requests } = recording();
    await using server = await startHttp2Server(opened);
    using client = await openHttp2Socket(server.port);
    client.request(1, '/', { hasBody: true, headers: [['content-length', length]] });
    client.data(1, Buffer.from('ab'));
    client.send(headers(1, payload, flags));
    await client.settled();
    expect(resetsOf(client)).toEqual([[1, CODE.protocolError]]);
    expect(requests).toMatchObject([{ isEnded: false, closed: false }]);
  });

  it.each([
    ['more', 'abc', END_STREAM, true],
    ['more so far', 'abc', 0, true],
    ['less', 'a', END_STREAM, true],
    ['as much', 'ab', END_STREAM, false],
    ['less so far', 'a', 0, false],
  ])('fails where it does not bring as much as it says: %s', async (_, body, flags, isWrong) => {
    const { opened } = recording();
    await using server = await startHttp2Server(opened);
    using client = await openHttp2Socket(server.port);
    client.request(1, '/', { hasBody: true, headers: [['content-length', '2']] });
    client.data(1, Buffer.from(body), { flags });
    await client.settled();
    expect(resetsOf(client)).toEqual(isWrong ? [[1, CODE.protocolError]] : []);
  });

  it('fails where it says that it has a body, and has none', async () => {
    const { opened, requests } = recording();
    await using server = await startHttp2Server(opened);
    using client = await openHttp2Socket(server.port);
    client.request(1, '/', { headers: [['content-length', '2']] });
    await client.settled();
    expect([resetsOf(client), requests]).toEqual([[[1, CODE.protocolError]], []]);
  });

  it('may be padded, and have a priority', async () => {
    const { opened, requests } = recording();
    await using server = await startHttp2Server(opened);
    using client = await openHttp2Socket(server.port);
    const priority = Buffer.of(0, 0, 0, 3, 200);
    const padded = Buffer.concat([Buffer.of(4), priority, REQUEST, Buffer.alloc(4)]);
    client.send(headers(1, padded, END_HEADERS | 0x8 | 0x20));
    client.send(frame(FRAME.priority, { stream: 1, payload: priority }));
    client.send(frame(FRAME.priority, { stream: 9, payload: priority }));
    client.data(1, Buffer.from('\x03abc\0\0\0'), { flags: END_STREAM | 0x8 });
    await client.settled();
    expect(requests).toMatchObject([{ body: 'abc', isEnded: true }]);
  });

  it('may come in many frames of headers', async () => {
    const { opened, requests } = recording();
    await using server = await startHttp2Server(opened);
    using client = await openHttp2Socket(server.port);
    const parts = [...REQUEST].map((byte) => Buffer.of(byte));
    client.send(headers(1, REQUEST.subarray(0, 0), END_STREAM));
    for (const [i, payload] of parts.entries())
      client.send(
        frame(FRAME.continuation, { stream: 1, payload, flags: i === parts.length - 1 ? END_HEADERS : 0 }),
      );
    await client.settled();
    expect(requests).toMatchObject([{ isEnded: true, stream: { head: { path: '/' } } }]);
  });

  it('does not keep all that came with a small part of its body, while more is to come', async () => {
    const buffers: ArrayBufferLike[] = [];
    await using server = await startHttp2Server((stream) => {
      stream.receiver = {
        data(chunk) {
          buffers.push(chunk.buffer);
          return true;
        },
        end() {},
        closed() {},
      };
    });
    using client = await openHttp2Socket(server.port);
    for (const stream of [1, 3]) client.request(stream, '/', { hasBody: true });
    await client.settled();
    const part = frame(FRAME.data, { stream: 1, payload: Buffer.from('abc') });
    const last = frame(FRAME.data, { stream: 3, payload: Buffer.alloc(10_000), flags: END_STREAM });
    client.send(part, last);
    await client.settled();
    expect(buffers).toHaveLength(2);
    expect(buffers[0]).not.toBe(buffers[1]);
  });

  it('fails where a frame follows its end, as one that was never opened fails its connection', async () => {
    const { opened, requests } = recording();
    await using server = await startHttp2Server(opened);
    using client = await openHttp2Socket(server.port);
    client.request(1, '/');
    client.data(1, Buffer.from('a'));
    client.request(3, '/');
    client.send(headers(3, TRAILERS, END_HEADERS | END_STREAM));
    await client.settled();
    expect(resetsOf(client)).toEqual([1, 3].map((stream) => [stream, CODE.streamClosed]));
    // What is still on its way for streams that were reset here is passed over.
    for (const stream of [1, 3]) client.data(stream, Buffer.from('a'));
    await client.settled();
    expect(requests.map(({ closed }) => closed)).toEqual([false, false]);
    client.data(7, Buffer.from('a'));
    expect(await client.closed()).toBe(CODE.protocolError);
  });

  it('ends when its client resets it, also while it waits for a window', async () => {
    const { opened, requests } = recording();
    await using server = await startHttp2Server(opened);
    using client = await openHttp2Socket(server.port);
    for (const stream of [1, 3]) client.request(stream, '/', { hasBody: true });
    await client.settled();
    const [, waiting] = requests;
    waiting?.stream.begin(200, []);
    waiting?.stream.write([Buffer.alloc(200_000)]);
    const writable = waiting?.stream.untilWritable();
    expect(waiting?.stream.waitingBytes).toBeGreaterThan(0);
    for (const stream of [1, 3])
      client.send(frame(FRAME.rstStream, { stream, payload: Buffer.of(0, 0, 0, 8) }));
    await client.settled();
    await writable;
    expect(requests.map(({ closed }) => closed)).toEqual([false, false]);
    expect(waiting?.stream.waitingBytes).toBe(0);
    expect(waiting?.stream.connection.queue.waitingBytes).toBe(0);
    expect(waiting?.stream.write([Buffer.alloc(1)])).toBe(true);
  });

  it('ends when its connection does', async () => {
    const { opened, requests } = recording();
    await using server = await startHttp2Server(opened);
    using client = await openHttp2Socket(server.port);
    client.request(1, '/', { hasBody: true });
    await client.settled();
    client.socket.resetAndDestroy();
    await eventually(() => expect(requests).toMatchObject([{ closed: false }]));
  });
});

describe('an answer', () => {
  it('may come before the body of its request, of which no more is wanted after a second', async () => {
    const { opened, requests } = recording();
    await using server = await startHttp2Server(opened);
    using client = await openHttp2Socket(server.port);
    for (const stream of [1, 3]) client.request(stream, '/', { hasBody: true });
    await client.settled();
    for (const { stream } of requests) stream.beginAndEnd(413, []);
    const sentMs = performance.now();
    expect(requests.map(({ closed }) => closed)).toEqual([true, true]);
    await client.settled();
    expect([1, 3].map(client.isEnded)).toEqual([true, true]);
    client.data(1, Buffer.alloc(1_000));
    client.data(3, Buffer.alloc(1_000), { flags: END_STREAM });
    await eventually(() => expect(resetsOf(client)).toEqual([[1, CODE.noError]]));
    expect(performance.now() - sentMs).toBeGreaterThan(900);
    client.data(1, Buffer.alloc(1_000));
    await client.settled();
    expect(resetsOf(client)).toHaveLength(1);
  });

  it('is reset where its server fails, with all others ended as they should', async () => {
    await using server = await startHttp2Server((stream) => {
      if (stream.head.path === '/wrong') stream.destroy();
      else stream.beginAndEnd(204, []);
    });
    using client = await openHttp2Socket(server.port);
    client.request(1, '/wrong');
    client.request(3, '/right');
    await client.settled();
    expect(resetsOf(client)).toEqual([[1, CODE.internalError]]);
    expect(client.isEnded(3)).toBe(true);
  });

  it('to pings comes in their order', async () => {
    await using server = await startHttp2Server(() => {});
    using client = await openHttp2Socket(server.port);
    const payloads = Array.from({ length: 100 }, (_, n) => Buffer.from(String(n).padStart(8, '0')));
    client.send(...payloads.map((payload) => frame(FRAME.ping, { payload })));
    await eventually(() => expect(client.of(FRAME.ping)).toHaveLength(100));
    expect(client.of(FRAME.ping).map(({ payload }) => payload)).toEqual(payloads);
  });
});

describe('a connection that finds a fault of the server', () => {
  it('fails alone, and says why', async () => {
    const fault = new Error('a fault');
    await using server = await startHttp2Server((stream) => {
      if (stream.head.path === '/fault') throw fault;
      stream.beginAndEnd(204, []);
    });
    using other = await openHttp2Socket(server.port);
    using client = await openHttp2Socket(server.port);
    client.request(1, '/fault');
    expect(await client.closed()).toBe(CODE.internalError);
    expect(server.failures).toMatchObject([{ code: CODE.internalError, cause: fault }]);
    other.request(1, '/');
    await eventually(() => expect(other.isEnded(1)).toBe(true));
  });
});

describe('a handler of requests and responses', () => {
  interface Exchanged {
    readonly status: unknown;
    readonly headers: IncomingHttpHeaders;
    readonly body: string;
    readonly isContinued: boolean;
  }

  async function exchange(
    baseUrl: string,
    headers: Record<string, string>,
    body?: string,
  ): Promise<Exchanged> {
    const session = connect(baseUrl);
    const request = session.request({ ':path': '/', ...headers }, { endStream: body === undefined });
    let isContinued = false;
    let received: IncomingHttpHeaders = {};
    request.on('continue', () => {
      isContinued = true;
      request.end(body);
    });
    request.on('response', (head) => {
      received = head;
    });
    let text = '';
    request.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    await once(request, 'close');
    session.close();
    return { status: received[':status'], headers: received, body: text, isContinued };
  }

  it.each([
    ['GET', 200, 'hello'],
    ['HEAD', 200, ''],
    ['GET', 204, ''],
    ['GET', 304, ''],
  ])('answers %s with %s', async (method, status, body) => {
    await using server = await startHttp2Server((stream) =>
      handleStream(stream, (request, response) => {
        response.writeHead(status, { 'X-Method': request.method ?? '', ETag: '"1"' });
        if (status === 200) {
          response.setHeader('content-length', '5');
          response.write('hel');
          response.end('lo');
        } else response.end();
      }),
    );
    const answer = await exchange(server.baseUrl, { ':method': method });
    expect(answer).toMatchObject({ status, body, headers: { 'x-method': method, etag: '"1"' } });
    expect(answer.headers['content-length']).toBe(status === 200 ? '5' : undefined);
  });

  it('lets a client send its body that waits for leave, and knows of no other expectation', async () => {
    await using server = await startHttp2Server((stream) =>
      handleStream(stream, (request, response) => {
        request.pipe(response as NodeJS.WritableStream);
      }),
    );
    const headers = { ':method': 'POST', expect: '100-continue' };
    expect(await exchange(server.baseUrl, headers, 'body')).toMatchObject({
      status: 200,
      body: 'body',
      isContinued: true,
    });
    const unknown = { ':method': 'POST', expect: 'more' };
    expect(await exchange(server.baseUrl, unknown)).toMatchObject({ status: 417, isContinued: false });
  });

  it('takes nothing from the window of its connection by bodies that it does not read', async () => {
    await using server = await startHttp2Server((stream) => handleStream(stream, () => {}));
    using client = await openHttp2Socket(server.port);
    const chunk = Buffer.alloc(16_000);
    const uploads = 400;
    // Each fills the window of its stream and more, so far as it is granted: together much more than the connection's.
    for (let n = 0; n < uploads; n += 1) {
      const stream = 2 * n + 1;
      client.request(stream, '/', { hasBody: true });
      for (let part = 0; part < 4; part += 1) client.data(stream, chunk);
      await client.settled();
      if (client.of(FRAME.windowUpdate, stream).length > 0)
        for (let part = 0; part < 2; part += 1) client.data(stream, chunk);
      client.send(frame(FRAME.rstStream, { stream, payload: Buffer.of(0, 0, 0, 8) }));
    }
    await client.settled();
    const sentBytes = client.socket.bytesWritten;
    const grantedBytes = client
      .of(FRAME.windowUpdate, 0)
      .reduce((sum, each) => sum + each.payload.readUInt32BE(0), 0);
    // 16 MiB from the start, of which never more than half is held back.
    expect(sentBytes).toBeGreaterThan(32 * 1024 * 1024);
    expect(grantedBytes).toBeGreaterThan(sentBytes - 9 * 1024 * 1024);
  });
});
