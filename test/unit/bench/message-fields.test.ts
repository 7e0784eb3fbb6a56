import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countFields, integerField, messageFields, textField } from '../../bench/calls/message-fields.ts';

const field = fc.record({
  number: fc.integer({ min: 1, max: 15 }),
  value: fc.oneof(fc.string({ maxLength: 300 }), fc.bigInt({ min: 0n, max: 2n ** 63n - 1n })),
});

function encode(fields: readonly { readonly number: number; readonly value: string | bigint }[]): Buffer {
  const writer = new BinaryWriter();
  for (const { number, value } of fields) {
    if (typeof value === 'string') writer.tag(number, WireType.LengthDelimited).string(value);
    else writer.tag(number, WireType.Varint).int64(value);
  }
  return Buffer.from(writer.finish());
}

describe('the count of fields', () => {
  it('is how many have the number, wherever the message lies', () => {
    fc.assert(
      fc.property(fc.array(field), fc.nat({ max: 20 }), (fields, offset) => {
        const message = encode(fields);
        const bytes = Buffer.concat([Buffer.alloc(offset, 0xff), message, Buffer.alloc(5, 0xff)]);
        const counted = countFields(bytes, offset, offset + message.length, 5);
        expect(counted).toBe(fields.filter(({ number }) => number === 5).length);
      }),
    );
  });

  it('is refused for a message that ends early', () => {
    const message = encode([{ number: 5, value: 'cut off' }]);
    expect(() => countFields(message, 0, message.length - 1, 5)).toThrow('ends early');
  });

  it('is refused for types of a fixed length and for numbers above 15', () => {
    const fixed = Buffer.from(new BinaryWriter().tag(5, WireType.Bit32).fixed32(1).finish());
    expect(() => countFields(fixed, 0, fixed.length, 5)).toThrow('was not expected');
    const high = encode([{ number: 16, value: 1n }]);
    expect(() => countFields(high, 0, high.length, 5)).toThrow('was not expected');
  });
});

describe('the fields of a message', () => {
  const message = encode([
    { number: 1, value: 'first' },
    { number: 2, value: 7n },
    { number: 1, value: 'second' },
  ]);

  it('are found by their number', () => {
    expect(textField(message, 1)).toBe('first');
    expect(integerField(message, 2)).toBe(7n);
    expect(messageFields(message, 1).map(String)).toHaveLength(2);
  });

  it('are undefined where there are none', () => {
    expect(textField(message, 3)).toBeUndefined();
    expect(integerField(message, 3)).toBeUndefined();
  });
});
