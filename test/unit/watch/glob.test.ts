import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileGlob } from '../../../src/domain/watch/glob.ts';
import { matchesNaively } from './naive-glob.ts';

const patterns = fc
  .array(fc.constantFrom('a', 'b', '/', '*', '**', '***', '?', '.', '[', '\\', 'é', '😀'), { maxLength: 8 })
  .map((parts) => parts.join(''));
const keys = fc
  .array(fc.constantFrom('a', 'b', '/', '.', 'é', '😀', '\n'), { maxLength: 10 })
  .map((parts) => parts.join(''));

describe('compileGlob', () => {
  it('matches as its definition says', () => {
    fc.assert(
      fc.property(patterns, keys, (pattern, key) => {
        expect(compileGlob(pattern)(key)).toBe(matchesNaively(pattern, key));
      }),
      { numRuns: 5_000 },
    );
  });

  it('matches keys that are made from the pattern', () => {
    fc.assert(
      fc.property(patterns, keys, fc.constantFrom('a', 'b', 'é'), (pattern, filling, character) => {
        const key = pattern
          .replace(/\*{2,}/g, filling)
          .replaceAll('*', '')
          .replaceAll('?', character);
        expect(compileGlob(pattern)(key)).toBe(true);
      }),
    );
  });

  it.each([
    ['*', 'a', true],
    ['*', '', true],
    ['*', 'a/b', false],
    ['**', 'a/b', true],
    ['?', '/', false],
    ['a/*/c', 'a/b/c', true],
    ['a/*/c', 'a/b/b/c', false],
    ['a/**/c', 'a/b/b/c', true],
    ['', '', true],
    ['', 'a', false],
  ])('answers for %j and %j: %j', (pattern, key, isMatch) => {
    expect(compileGlob(pattern)(key)).toBe(isMatch);
  });

  it.each([
    `${'*a'.repeat(500)}b`,
    `**${'*a'.repeat(500)}b`,
    `${'**a'.repeat(340)}b`,
    `**a*${'a'.repeat(1_000)}b`,
    `**a*${'a?'.repeat(500)}b`,
    `**${'?'.repeat(1_000)}*b`,
  ])('is done with a hostile pattern on a long key: %.20s…', (pattern) => {
    expect(compileGlob(pattern)('a'.repeat(4_096))).toBe(false);
    expect(compileGlob(pattern)('a'.repeat(4_095).concat('b'))).toBe(true);
    expect(compileGlob(pattern)('a/'.repeat(2_048))).toBe(false);
  });
});
