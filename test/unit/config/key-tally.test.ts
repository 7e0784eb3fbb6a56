import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyTally } from '../../../src/domain/config/key-tally.ts';
import { keyWrittenAt } from './some-item.ts';

describe('the tally of keys', () => {
  it('is nothing at first', () => {
    const tally = new KeyTally();
    expect([tally.size, tally.lastChange]).toEqual([0, 0n]);
  });

  it('is what counting them says, after any changes', () => {
    const change = fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd'), isThere: fc.boolean() });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), fc.boolean(), (changes, asksOften) => {
        const tally = new KeyTally();
        const known = new Map<string, bigint>();
        const expectKnown = () => {
          expect(tally.size).toBe(known.size);
          expect(tally.lastChange).toBe([...known.values()].reduce((a, b) => (a > b ? a : b), 0n));
        };
        for (const [i, { key, isThere }] of changes.entries()) {
          const revision = BigInt(i + 1);
          if (isThere) known.set(key, revision);
          else known.delete(key);
          tally.set(Buffer.from(key), isThere ? keyWrittenAt(revision, key) : undefined);
          if (asksOften) expectKnown();
        }
        expectKnown();
      }),
      { numRuns: 1_000 },
    );
  });

  it('tells keys apart that are not UTF-8', () => {
    const tally = new KeyTally();
    tally.set(Uint8Array.of(0xff), keyWrittenAt(1n));
    tally.set(Uint8Array.of(0xfe), keyWrittenAt(2n));
    expect(tally.size).toBe(2);
  });
});
