import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeData, FLAG, FRAME, FRAME_HEADER_BYTES } from '../../bench/load/http2-frames.ts';

describe('the frames of a body', () => {
  it('hold it in order, none more than any server takes, and the last alone ends the stream', () => {
    const length = fc.oneof(fc.nat(70_000), fc.constantFrom(0, 1, 16_384, 16_385, 32_768, 49_152));
    fc.assert(
      fc.property(length, (bytes) => {
        const body = Buffer.from(Array.from({ length: bytes }, (_, i) => i % 251));
        const frames = encodeData(5, body);
        expect(Buffer.concat(frames.map((frame) => frame.subarray(FRAME_HEADER_BYTES)))).toEqual(body);
        for (const [i, frame] of frames.entries()) {
          const payload = frame.length - FRAME_HEADER_BYTES;
          expect(payload).toBeLessThanOrEqual(16_384);
          expect(frame.readUIntBE(0, 3)).toBe(payload);
          expect(frame[3]).toBe(FRAME.data);
          expect(frame[4]).toBe(i === frames.length - 1 ? FLAG.endStream : 0);
          expect(frame.readUInt32BE(5)).toBe(5);
        }
      }),
      { numRuns: 40 },
    );
  });
});
