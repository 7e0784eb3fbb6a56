import { describe, expect, it } from 'vitest';
import { createDocuments } from '../../../src/documents/create-documents.ts';

const documents = createDocuments();
const LATE = [{ message: 'takes too long to check', path: '', line: 0 }];

/** Each of so many schemas refers twice to the next, so that the last is asked 2^depth times. */
function doubling(depth: number, last: unknown): string {
  const refs = Array.from({ length: depth }, (_, i) => {
    const $ref = `#/$defs/s${i + 1}`;
    return [`s${i}`, { allOf: [{ $ref }, { $ref }] }];
  });
  return JSON.stringify({ $ref: '#/$defs/s0', $defs: { ...Object.fromEntries(refs), [`s${depth}`]: last } });
}

describe('a hostile schema', () => {
  it('is stopped in a regular expression', () => {
    const schema = JSON.stringify({ pattern: '^(a+)+$' });
    expect(documents.violations(schema, 'text', `${'a'.repeat(50)}!`)).toEqual(LATE);
    expect(documents.violations(schema, 'text', 'aaaa')).toEqual([]);
  });

  it('is stopped in a regular expression for names', () => {
    const schema = JSON.stringify({ patternProperties: { '^(a+)+$': true } });
    expect(documents.violations(schema, 'json', `{"${'a'.repeat(50)}!": 1}`)).toEqual(LATE);
  });

  it('is stopped where it refers to itself more and more often', () => {
    expect(documents.violations(doubling(60, { type: 'string' }), 'text', 'a')).toEqual(LATE);
  });

  it('gives the first violation where there are too many', () => {
    expect(documents.violations(doubling(60, { type: 'string' }), 'number', '1')).toEqual([
      { message: 'must be string', path: '', line: 1 },
    ]);
  });

  it('is stopped where it refers to itself without end', () => {
    expect(documents.violations('{"$ref": "#"}', 'text', 'a')).toEqual([
      { message: 'cannot be checked: its schema asks for too much', path: '', line: 0 },
    ]);
  });

  it('is stopped where it compares each with each', () => {
    const text = JSON.stringify(Array.from({ length: 30_000 }, (_, i) => [i]));
    expect(documents.violations('{"uniqueItems": true}', 'json', text)).toEqual(LATE);
  });

  it('is refused where it takes too much to compile', () => {
    const allOf = Array.from({ length: 2_200 }, (_, i) => ({ properties: { [`a${i}`]: {} } }));
    const schema = JSON.stringify({ unevaluatedProperties: false, allOf });
    // A machine that is fast enough comes to the end of the stack within the second.
    const message = expect.stringMatching(/^(takes too long to compile|must be smaller to be compiled)$/);
    expect(documents.schemaProblem(schema)).toMatchObject({ message });
    expect(documents.violations(schema, 'text', 'a')).toMatchObject([{ message }]);
  });

  it('leaves others as they are', () => {
    documents.violations(doubling(60, true), 'text', 'a');
    expect(documents.violations('{"type": "number"}', 'text', 'a')).toHaveLength(1);
    expect(documents.violations('{"type": "number"}', 'number', '1')).toEqual([]);
  });
});
