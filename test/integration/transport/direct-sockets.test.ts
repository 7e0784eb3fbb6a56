import { describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { END_HEADERS, END_STREAM, FRAME, frame, HTTP2_OPENING, hpack } from '../../support/http2-frames.ts';
import { envelope, openRawSocket } from './raw-http.ts';
import { heldCheck, startToy, type Toy } from './toy-server.ts';

const CHECK = '/grpc.health.v1.Health/Check';
const WATCH = '/grpc.health.v1.Health/Watch';
/** So long that no drain ends by its time-out. */
const PATIENT = { drainTimeoutMs: 20_000 };
const CANCEL = Buffer.of(0, 0, 0, 8);

/** A request with an origin is a page's, and goes the library's way. */
const WAYS = [
  { way: 'past the library', origin: '' },
  { way: 'by the library', origin: 'http://page.example' },
];

describe.each(WAYS)('a connection with calls $way', ({ origin }) => {
  it.each([CHECK, WATCH])('leaves nothing behind where it breaks amid a call of HTTP/2: %s', async (path) => {
    await using toy = await startToy({}, PATIENT);
    const endings = [
      frame(FRAME.rstStream, { stream: 1, payload: CANCEL }),
      frame(FRAME.rstStream, { stream: 1, payload: Buffer.alloc(4) }),
      frame(FRAME.data, { stream: 0, payload: Buffer.of(1) }),
      frame(FRAME.goaway, { payload: Buffer.alloc(8) }),
      frame(FRAME.windowUpdate, { stream: 1, payload: Buffer.alloc(4) }),
      frame(FRAME.settings, { stream: 1 }),
      Buffer.alloc(0),
    ];
    const head = frame(FRAME.headers, {
      flags: END_HEADERS,
      stream: 1,
      payload: hpack([
        [':method', 'POST'],
        [':scheme', 'http'],
        [':authority', 'a'],
        [':path', path],
        ['content-type', 'application/grpc'],
        ...(origin === '' ? [] : [['origin', origin] as const]),
      ]),
    });
    const body = frame(FRAME.data, { flags: END_STREAM, stream: 1, payload: envelope(Buffer.alloc(0)) });
    const requests = [head, Buffer.concat([head, body.subarray(0, -2)]), Buffer.concat([head, body])];
    for (const request of requests)
      for (const ending of endings)
        for (const isReset of [false, true]) {
          using client = await openRawSocket(toy.port);
          client.send(Buffer.concat([HTTP2_OPENING, request, ending]));
          if (isReset) client.socket.resetAndDestroy();
          else client.socket.end();
          await client.closed;
        }
    await expectNothingLeft(toy);
  });

  it('leaves nothing behind where it breaks amid calls of HTTP/1.1 that wait for one another', async () => {
    await using toy = await startToy({}, PATIENT);
    using client = await openRawSocket(toy.port);
    const body = envelope(Buffer.alloc(0));
    for (let i = 0; i < 3; i++)
      client.send(Buffer.concat([head(WATCH, 'application/grpc-web', body.length), body]));
    await eventually(() => expect(toy.seen).toHaveLength(3));
    client.socket.resetAndDestroy();
    await expectNothingLeft(toy);
  });

  it('tells callers of HTTP/1.1 that wait for an answer to go elsewhere afterwards, in a drain', async () => {
    const { check, release } = heldCheck();
    await using toy = await startToy({ check }, PATIENT);
    using client = await openRawSocket(toy.port);
    client.send(`${head(CHECK, 'application/json', 2)}{}`);
    await eventually(() => expect(toy.server.stats().calls).toBe(1));
    const drained = toy.server.drain();
    await eventually(() => expect(openRawSocket(toy.port)).rejects.toThrow());
    release();
    const answer = await client.closed;
    expect(answer).toMatch(/^HTTP\/1\.1 200 .*connection: close/is);
    await drained;
  });

  it('answers in the order of the requests that came at once', async () => {
    await using toy = await startToy();
    using client = await openRawSocket(toy.port);
    const ids = ['first', 'second', 'third'];
    client.send(
      ids.map((id) => `${head(CHECK, 'application/json', 2, `x-request-id: ${id}\r\n`)}{}`).join(''),
    );
    const text = await client.sees('third');
    expect([...text.matchAll(/x-request-id: (\w+)/g)].map(([, id]) => id)).toEqual(ids);
  });

  it('takes what comes after the told length for another request', async () => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    await using toy = await startToy({
      check: async () => {
        await released;
        return { status: 1 };
      },
    });
    using client = await openRawSocket(toy.port);
    client.send(`${head(CHECK, 'application/json', 2)}{}`);
    for (const rest of ['{"service":"x"}', '\r\n', '\r\n']) client.send(rest);
    await eventually(() => expect(toy.seen).toHaveLength(1));
    release();
    // The first request was served: it must not be told that it is malformed.
    expect(await client.closed).toMatch(/^HTTP\/1\.1 200 .*HTTP\/1\.1 400 .*REQUEST_MALFORMED/s);
    await expectNothingLeft(toy);
  });

  it('waits for the rest of a body, and takes no call that is cut short', async () => {
    await using toy = await startToy({}, PATIENT);
    using client = await openRawSocket(toy.port);
    client.send(`${head(CHECK, 'application/json', 3)}{}`);
    await eventually(() => expect(toy.seen).toHaveLength(1));
    expect(client.received).toHaveLength(0);
    client.socket.end();
    await client.closed;
    await expectNothingLeft(toy);
    expect(toy.seen[0]?.outcomes[0]?.reason).toBe('CALL_CANCELED');
  });

  it('is closed after the answer to HTTP/1.0', async () => {
    await using toy = await startToy();
    using client = await openRawSocket(toy.port);
    client.send(`${head(CHECK, 'application/json', 2).toString().replace('HTTP/1.1', 'HTTP/1.0')}{}`);
    expect(await client.closed).toMatch(/^HTTP\/1\.1 200 .*"SERVING"/s);
  });

  function head(path: string, contentType: string, length: number, more = ''): Buffer {
    const lines = [`POST ${path} HTTP/1.1`, 'Host: a', `Content-Type: ${contentType}`];
    if (origin !== '') lines.push(`Origin: ${origin}`);
    return Buffer.from(`${lines.join('\r\n')}\r\nContent-Length: ${length}\r\n${more}\r\n`);
  }
});

/** Waits until no call is open and each was reported once; then the server must still serve. */
async function expectNothingLeft(toy: Toy): Promise<void> {
  await eventually(() => expect(toy.server.stats()).toMatchObject({ calls: 0, streams: 0 }), 10_000);
  await eventually(() => expect(toy.seen.filter(({ outcomes }) => outcomes.length !== 1)).toEqual([]));
  const response = await fetch(toy.baseUrl + CHECK, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  expect(await response.json()).toEqual({ status: 'SERVING' });
}
