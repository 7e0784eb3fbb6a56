import { once } from 'node:events';
import { connect } from 'node:http2';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { exchangeBytes } from '../../support/exchange-bytes.ts';
import {
  ACK,
  END_HEADERS,
  END_STREAM,
  FRAME,
  frame,
  HTTP2_OPENING,
  hpack,
} from '../../support/http2-frames.ts';
import { type RawTarget, startRawTarget } from '../../support/start-raw-target.ts';
import type { StoreState } from '../../support/store-state.ts';
import { envelope, kvPath } from '../../support/wire-protocol.ts';

const RUNS = 300;
const CANCELS = 3_000;

let target: RawTarget;
let before: StoreState;

beforeAll(async () => {
  target = await startRawTarget();
});

beforeEach(async () => {
  before = await target.state();
});

afterEach(async () => {
  expect(await target.state()).toEqual(before);
});

afterAll(async () => {
  await target?.[Symbol.asyncDispose]();
});

const HEADERS = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':authority', 'a'],
  [':path', kvPath('Put')],
  ['content-type', 'application/grpc+proto'],
  ['te', 'trailers'],
] as const;
const CALL = frame(FRAME.headers, { flags: END_HEADERS, stream: 1, payload: hpack(HEADERS) });
const MESSAGE = envelope(Uint8Array.of(0x0a, 1, 0x61));

function headersFrame(
  headers: Parameters<typeof hpack>[0],
  flags = END_HEADERS | END_STREAM,
  stream = 1,
): Buffer {
  return frame(FRAME.headers, { flags, stream, payload: hpack(headers) });
}

const WRONG_FRAMES: readonly (readonly [what: string, bytes: Uint8Array])[] = [
  ['HTTP/1.1', Buffer.from('GET / HTTP/1.1\r\nhost: a\r\n\r\n')],
  ['a frame of 16 MiB', frame(FRAME.data, { stream: 1, length: 0xff_ffff })],
  ['a frame of an unknown type', frame(0xfe, { payload: Buffer.from('x') })],
  ['data that belongs to no stream', frame(FRAME.data, { payload: Buffer.from('x') })],
  ['data of a stream that is not open', frame(FRAME.data, { stream: 5, payload: Buffer.from('x') })],
  ['headers that belong to no stream', headersFrame(HEADERS, END_HEADERS, 0)],
  ['headers of a stream of the server', headersFrame(HEADERS, END_HEADERS, 2)],
  [
    'headers that are no HPACK',
    frame(FRAME.headers, { flags: END_HEADERS, stream: 1, payload: Buffer.alloc(64, 0xff) }),
  ],
  ['headers without a path', headersFrame(HEADERS.filter(([name]) => name !== ':path'))],
  ['two paths', headersFrame([[':path', '/'], ...HEADERS])],
  ['a path behind other headers', headersFrame([...HEADERS.slice(4), ...HEADERS.slice(0, 4)])],
  ['a header in capitals', headersFrame([...HEADERS, ['X-A', '1']])],
  ['a header of the connection', headersFrame([...HEADERS, ['connection', 'close']])],
  ['a header with a line break', headersFrame([...HEADERS, ['x', 'a\r\nb: c']])],
  [
    'a content length that lies',
    Buffer.concat([
      headersFrame([...HEADERS, ['content-length', '99']], END_HEADERS),
      frame(FRAME.data, { flags: END_STREAM, stream: 1, payload: MESSAGE }),
    ]),
  ],
  ['settings of 5 bytes', frame(FRAME.settings, { payload: Buffer.alloc(5) })],
  ['an acknowledgement with settings', frame(FRAME.settings, { flags: ACK, payload: Buffer.alloc(6) })],
  ['a window of 4 GiB', frame(FRAME.settings, { payload: Buffer.of(0, 4, 0xff, 0xff, 0xff, 0xff) })],
  ['a window that grows by 0', frame(FRAME.windowUpdate, { payload: Buffer.alloc(4) })],
  [
    'windows that grow beyond 2 GiB',
    Buffer.concat(
      Array<Buffer>(3).fill(frame(FRAME.windowUpdate, { payload: Buffer.of(0x7f, 0xff, 0xff, 0xff) })),
    ),
  ],
  ['a ping of 7 bytes', frame(FRAME.ping, { payload: Buffer.alloc(7) })],
  ['a continuation of nothing', frame(FRAME.continuation, { stream: 1, payload: hpack(HEADERS) })],
  [
    'a frame in the middle of headers',
    Buffer.concat([
      frame(FRAME.headers, { stream: 1, payload: hpack(HEADERS) }),
      frame(FRAME.ping, { payload: Buffer.alloc(8) }),
    ]),
  ],
  [
    'a promise to push',
    frame(FRAME.pushPromise, { flags: END_HEADERS, stream: 1, payload: Buffer.alloc(8) }),
  ],
  ['the reset of a stream that is not open', frame(FRAME.rstStream, { stream: 9, payload: Buffer.alloc(4) })],
  [
    'a stream that depends on itself',
    frame(FRAME.priority, { stream: 1, payload: Buffer.of(0, 0, 0, 1, 0) }),
  ],
  ['a goodbye', frame(FRAME.goaway, { payload: Buffer.alloc(8) })],
];

const HALF_CALLS: readonly (readonly [what: string, bytes: Uint8Array])[] = [
  ['half an opening', HTTP2_OPENING.subarray(0, 10)],
  ['an opening alone', HTTP2_OPENING],
  ['half a frame', Buffer.concat([HTTP2_OPENING, CALL.subarray(0, 20)])],
  ['a call without its message', Buffer.concat([HTTP2_OPENING, CALL])],
  [
    'half a message',
    Buffer.concat([HTTP2_OPENING, CALL, frame(FRAME.data, { stream: 1, payload: MESSAGE.subarray(0, 6) })]),
  ],
  [
    'a message and no end of the call',
    Buffer.concat([HTTP2_OPENING, CALL, frame(FRAME.data, { stream: 1, payload: MESSAGE })]),
  ],
  [
    'a message and its cancellation',
    Buffer.concat([
      HTTP2_OPENING,
      CALL,
      frame(FRAME.data, { stream: 1, payload: MESSAGE }),
      frame(FRAME.rstStream, { stream: 1, payload: Buffer.of(0, 0, 0, 8) }),
    ]),
  ],
];

const FLOODS: readonly (readonly [what: string, bytes: Uint8Array])[] = [
  ['pings', Buffer.concat(Array<Buffer>(5_000).fill(frame(FRAME.ping, { payload: Buffer.alloc(8) })))],
  ['settings', Buffer.concat(Array<Buffer>(5_000).fill(frame(FRAME.settings)))],
  ['empty data', Buffer.concat([CALL, ...Array<Buffer>(5_000).fill(frame(FRAME.data, { stream: 1 }))])],
  [
    'continuations without end',
    Buffer.concat([
      frame(FRAME.headers, { stream: 1, payload: hpack(HEADERS) }),
      ...Array<Buffer>(20_000).fill(
        frame(FRAME.continuation, { stream: 1, payload: hpack([['x', 'y'.repeat(100)]]) }),
      ),
    ]),
  ],
];

describe('a connection of HTTP/2', () => {
  it.each(WRONG_FRAMES)('is closed, or goes on, but harms nothing where it brings %s', async (_, bytes) => {
    await exchangeBytes(target.gateway.port, Buffer.concat([HTTP2_OPENING, bytes]));
  });

  it.each(HALF_CALLS)('ends without a trace where it brings %s and ends', async (_, bytes) => {
    for (const finish of ['end', 'reset'] as const)
      await exchangeBytes(target.gateway.port, bytes, { finish });
  });

  it.each(FLOODS)('is borne where it brings a flood of %s', async (_, bytes) => {
    await exchangeBytes(target.gateway.port, Buffer.concat([HTTP2_OPENING, bytes]));
  });

  it('is borne where it cancels thousands of calls as soon as it has begun them', async () => {
    const session = connect(target.gateway.url);
    session.on('error', () => {});
    for (let n = 0; n < CANCELS; n++) {
      const stream = session.request(Object.fromEntries([...HEADERS, [':path', kvPath('Get')]]));
      stream.on('error', () => {});
      stream.close();
    }
    session.destroy();
    await once(session, 'close');
  });

  it('survives bytes at random', async () => {
    const type = fc.integer({ min: 0, max: 12 });
    const someFrame = fc
      .record({
        type,
        flags: fc.integer({ min: 0, max: 255 }),
        stream: fc.constantFrom(0, 1, 1, 3, 2, 0x7fff_ffff),
        payload: fc.uint8Array({ maxLength: 100 }),
      })
      .map((parts) => frame(parts.type, parts));
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 1_000 }),
      fc.array(someFrame, { maxLength: 20 }).map((frames) => Buffer.concat(frames)),
      fc.array(someFrame, { maxLength: 5 }).map((frames) => Buffer.concat([CALL, ...frames])),
    );
    await fc.assert(
      fc.asyncProperty(bytes, async (sent) => {
        await exchangeBytes(target.gateway.port, Buffer.concat([HTTP2_OPENING, sent]));
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
  });
});
