import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameReader } from '../../../../src/transport/http2/frame-reader.ts';
import { CODE, ConnectionError, FRAME_BYTES, PREFACE } from '../../../../src/transport/http2/protocol.ts';
import { frame } from '../../../support/http2-frames.ts';

/** Returns the frames that are read of chunks. */
function read(chunks: readonly Uint8Array[]): unknown[] {
  const frames: unknown[] = [];
  const reader = new FrameReader((type, flags, streamId, payload) =>
    frames.push({ type, flags, streamId, payload: payload.toString('hex') }),
  );
  for (const chunk of chunks) reader.read(Buffer.from(chunk));
  return frames;
}

function failureOf(chunks: readonly Uint8Array[]): unknown {
  try {
    return read(chunks);
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    return error.code;
  }
}

const someFrames = fc.array(
  fc.record({
    type: fc.integer({ min: 0, max: 255 }),
    flags: fc.integer({ min: 0, max: 255 }),
    stream: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
    payload: fc.uint8Array({ maxLength: 50 }),
  }),
  { maxLength: 10 },
);

describe('a reader of frames', () => {
  it('reads the same of bytes, however they are cut', () => {
    fc.assert(
      fc.property(someFrames, fc.array(fc.integer({ min: 1, max: 40 })), (frames, sizes) => {
        const bytes = Buffer.concat([PREFACE, ...frames.map((each) => frame(each.type, each))]);
        const expected = frames.map(({ type, flags, stream, payload }) => ({
          type,
          flags,
          streamId: stream,
          payload: Buffer.from(payload).toString('hex'),
        }));
        expect(read([bytes])).toEqual(expected);
        expect(read([...bytes].map((byte) => Uint8Array.of(byte)))).toEqual(expected);
        const chunks: Buffer[] = [];
        let at = 0;
        for (const size of sizes) {
          chunks.push(bytes.subarray(at, at + size));
          at += size;
        }
        expect(read([...chunks, bytes.subarray(at)])).toEqual(expected);
      }),
    );
  });

  it('passes over the bit of a stream that is reserved', () => {
    const bytes = frame(0, { stream: 5 });
    bytes.writeUInt32BE(0x8000_0005, 5);
    expect(read([PREFACE, bytes])).toMatchObject([{ streamId: 5 }]);
  });

  it('takes frames up to 16 KiB', () => {
    expect(read([PREFACE, frame(0, { payload: Buffer.alloc(FRAME_BYTES) })])).toHaveLength(1);
    const head = frame(0, { length: FRAME_BYTES + 1 });
    expect(failureOf([PREFACE, head])).toBe(CODE.frameSizeError);
  });

  it('refuses what begins as no connection of HTTP/2, at the first byte that is wrong', () => {
    expect(failureOf([Buffer.from('GET / HTTP/1.1\r\n\r\n')])).toBe(CODE.protocolError);
    expect(failureOf([Buffer.from('PRI * HTTP/2.0\r\n\r\nX')])).toBe(CODE.protocolError);
    expect(failureOf([PREFACE.subarray(0, 5), Buffer.from('x')])).toBe(CODE.protocolError);
    expect(read([PREFACE.subarray(0, 20)])).toEqual([]);
  });
});
