import fc from 'fast-check';
import { expect, it } from 'vitest';
import { compareTexts } from '../../src/domain/text-order.ts';

it('texts are in the order of the bytes of their UTF-8', () => {
  const text = fc.string({
    unit: fc.constantFrom(
      '',
      'a',
      '/',
      'ä',
      '\ud7ff',
      '\ue000',
      '\uffff',
      '\u{10000}',
      '\u{1f600}',
      '\u{10ffff}',
    ),
    maxLength: 5,
  });
  fc.assert(
    fc.property(text, text, (a, b) => {
      expect(Math.sign(compareTexts(a, b))).toBe(Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))));
    }),
    { numRuns: 2_000 },
  );
});
