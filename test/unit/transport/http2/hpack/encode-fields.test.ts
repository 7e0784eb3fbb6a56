import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeFields, maxEncodedBytes } from '../../../../../src/transport/http2/hpack/encode-fields.ts';
import { FieldDecoder } from '../../../../../src/transport/http2/hpack/field-decoder.ts';
import { STATIC_TABLE } from '../../../../../src/transport/http2/hpack/static-table.ts';

function encode(fields: readonly string[]): Buffer {
  const bytes = Buffer.alloc(maxEncodedBytes(fields));
  return bytes.subarray(0, encodeFields(fields, bytes, 0));
}

function decode(block: Buffer): readonly string[] | undefined {
  return new FieldDecoder(2 ** 24).decode(block);
}

describe('the encoder of fields', () => {
  it('writes what a decoder reads, and puts nothing in its table', () => {
    const text = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text), { maxLength: 10 }), (list) => {
        const decoder = new FieldDecoder(2 ** 24);
        expect(decoder.decode(encode(list.flat()))).toEqual(list.flat());
        expect(decoder.tableVersion).toBe(0);
      }),
    );
  });

  it('writes each field of the static table as one byte', () => {
    for (const [name, value] of STATIC_TABLE) {
      const block = encode([name, value]);
      expect(decode(block)).toEqual([name, value]);
      if (value !== '') expect(block).toHaveLength(1);
    }
  });

  it.each([0, 1, 126, 127, 128, 254, 255, 16_383, 16_384, 100_000])('writes a value of %s bytes', (size) => {
    const fields = ['x-a', 'v'.repeat(size), ':status', '418'];
    expect(decode(encode(fields))).toEqual(fields);
  });

  it('writes from where it is told to', () => {
    const bytes = Buffer.alloc(20);
    const end = encodeFields([':status', '200'], bytes, 7);
    expect([end, bytes[7]]).toEqual([8, 0x88]);
  });
});
