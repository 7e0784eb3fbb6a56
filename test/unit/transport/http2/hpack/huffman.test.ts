import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HpackError } from '../../../../../src/transport/http2/hpack/hpack-error.ts';
import { decodeHuffman } from '../../../../../src/transport/http2/hpack/huffman.ts';
import { huffman } from '../../../../support/hpack-encoder.ts';

/** RFC 7541, C.4 and C.6. */
const EXAMPLES = [
  ['www.example.com', 'f1e3c2e5f23a6ba0ab90f4ff'],
  ['no-cache', 'a8eb10649cbf'],
  ['custom-key', '25a849e95ba97d7f'],
  ['custom-value', '25a849e95bb8e8b4bf'],
  ['302', '6402'],
  ['private', 'aec3771a4b'],
  ['Mon, 21 Oct 2013 20:13:21 GMT', 'd07abe941054d444a8200595040b8166e082a62d1bff'],
  ['https://www.example.com', '9d29ad171863c78f0b97c8e9ae82ae43d3'],
  [
    'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
    '94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007',
  ],
  ['', ''],
] as const;

const FAULTS = [
  ['that has eight ones too many', Buffer.concat([huffman(Buffer.from('www')), Buffer.of(0xff)])],
  ['of nothing but ones', Buffer.of(0xff)],
  ['that is filled up with zeros', Buffer.of(0b0001_1000)],
  ['with the end of a string within it', Buffer.of(0xff, 0xff, 0xff, 0xff)],
  ['that ends in the middle of a character', huffman(Buffer.of(10)).subarray(0, 3)],
] as const;

describe('a Huffman code', () => {
  it.each(EXAMPLES)('stands for %s', (text, code) => {
    expect(decodeHuffman(Buffer.from(code, 'hex'))).toBe(text);
    expect(huffman(Buffer.from(text)).toString('hex')).toBe(code);
  });

  it('stands for every byte, alone and beside others', () => {
    for (let byte = 0; byte < 256; byte += 1) {
      const bytes = Buffer.of(byte, 0x61, byte, byte);
      for (const some of [bytes, bytes.subarray(0, 1)])
        expect(decodeHuffman(huffman(some))).toBe(some.toString('latin1'));
    }
  });

  it('stands for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(decodeHuffman(huffman(bytes))).toBe(Buffer.from(bytes).toString('latin1'));
      }),
    );
  });

  it.each(FAULTS)('%s is none', (_, code) => {
    expect(() => decodeHuffman(code)).toThrow(HpackError);
  });
});
