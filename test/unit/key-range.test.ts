import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareKeys, keyAfter, prefixEnd, startsWith } from '../../src/domain/key-range.ts';

const key = fc.uint8Array({ maxLength: 4 });

describe('prefixEnd', () => {
  it('ends exactly the keys with the prefix', () => {
    fc.assert(
      fc.property(key, key, (prefix, other) => {
        const end = prefixEnd(prefix);
        const isInside =
          compareKeys(other, prefix) >= 0 && (end === undefined || compareKeys(other, end) < 0);
        expect(isInside).toBe(startsWith(other, prefix));
      }),
    );
  });

  it('is open after a prefix of 0xff', () => {
    expect(prefixEnd(Uint8Array.of(0xff, 0xff))).toBeUndefined();
    expect(prefixEnd(Uint8Array.of(0x61, 0xff))).toEqual(Uint8Array.of(0x62));
  });

  it('leaves its argument as it is, a Buffer too, whose slice shares its bytes', () => {
    const prefix = Buffer.from('abc');
    expect(Buffer.from(prefixEnd(prefix) ?? []).toString()).toBe('abd');
    expect(prefix.toString()).toBe('abc');
  });
});

describe('keyAfter', () => {
  it('leaves no key between', () => {
    fc.assert(
      fc.property(key, key, (before, other) => {
        const isBetween = compareKeys(other, before) > 0 && compareKeys(other, keyAfter(before)) < 0;
        expect(isBetween).toBe(false);
      }),
    );
  });
});
