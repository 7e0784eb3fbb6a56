import { describe, expect, it } from 'vitest';
import { createDocuments } from '../../../src/documents/create-documents.ts';
import { flatten } from '../../../src/documents/flatten.ts';
import type { ContentType, TransferFormat } from '../../../src/domain/config/document.ts';

const documents = createDocuments();
const MIB = 1_048_576;
/** The limit is two seconds. More is for the slowest machine, and less than what the parsers would take. */
const MAX_MS = 15_000;

function large(part: string, lead = ''): string {
  return lead + part.repeat(MIB / part.length);
}

function msOf(work: () => unknown): number {
  const startMs = performance.now();
  work();
  return performance.now() - startMs;
}

function bomb(): string {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
  for (let i = 1; i < 30; i++) lines.push(`a${i}: &a${i} [${`*a${i - 1}, `.repeat(10)}]`);
  return lines.join('\n');
}

describe('a hostile text', () => {
  it.each<[ContentType, string, string, string]>([
    ['json', '', '[', ']'],
    ['json', '', '{"a":', '1}'],
    ['yaml', '', '[', ']'],
    ['yaml', '', '{a: ', '}'],
    ['yaml', '', '- ', ''],
    ['yaml', '', '? ', ''],
    ['toml', 'a = ', '[', ']'],
    ['toml', 'a = ', '{a = ', '}'],
    ['toml', '', 'a.', 'a = 1'],
  ])('of %s that is nested 100,000 times is a problem (%s%s%s)', (contentType, lead, open, close) => {
    for (const text of [open.repeat(100_000), open.repeat(100_000) + close.repeat(100_000)])
      expect(documents.parse(contentType, lead + text)).toMatchObject({
        problem: { message: expect.stringMatching(/nested deeper|too long|must be TOML/) },
      });
  });

  it.each<[ContentType, string]>([
    ['json', large('[1],', '[')],
    ['json', large('\\', '"')],
    ['yaml', large('[')],
    ['yaml', large('- &a [x]\n- *a\n')],
    ['yaml', large('a b ')],
    ['yaml', large('? ')],
    ['yaml', large('?\n')],
    ['yaml', large('a: 1\n')],
    ['yaml', large('a,', '[')],
    ['yaml', large('\\x', '"')],
    ['yaml', large('!a ')],
    ['yaml', large('%a\n')],
    ['yaml', large('<<: {}\n')],
    ['toml', large('a.')],
    ['toml', large('[[a.b]]\n[a.b.c]\n')],
    ['toml', large('\\\n ', 'a = """')],
    ['toml', large('[\n', 'a = ')],
    ['properties', large('\\')],
    ['properties', large('\\\n')],
    ['properties', large('\\u1')],
  ])('of a mebibyte is read or refused in time: %s %.12j', (contentType, text) => {
    expect(msOf(() => documents.parse(contentType, text))).toBeLessThan(MAX_MS);
  });

  it.each<[ContentType, string]>([
    ['json', large('[1],', '[')],
    ['yaml', large('a,', '[')],
    ['toml', large('a.')],
    ['properties', large('\\\n')],
  ])('of a mebibyte is checked and flattened, or refused, in time: %s %.12j', (contentType, text) => {
    expect(msOf(() => documents.violations('{"type": "array"}', contentType, text))).toBeLessThan(MAX_MS);
    expect(msOf(() => flatten(contentType, text))).toBeLessThan(MAX_MS);
  });

  it.each<[TransferFormat, string]>([
    ['json', large('"a":1,', '{')],
    ['yaml', large('a: 1\n')],
    ['properties', large('\\\n')],
    ['dotenv', large('\n')],
    ['dotenv', large('\\', 'a="')],
    ['dotenv', large(' #', 'a=')],
    ['dotenv', large(' ', 'a=')],
  ])('of a mebibyte is imported or refused in time: %s %.12j', (format, text) => {
    expect(msOf(() => documents.read(format, text))).toBeLessThan(MAX_MS);
  });

  it('cannot grow through its aliases', () => {
    expect(documents.parse('yaml', bomb())).toMatchObject({
      problem: { message: 'must not repeat as much as this through aliases' },
    });
  });
});
