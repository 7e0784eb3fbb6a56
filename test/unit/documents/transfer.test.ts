import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createDocuments } from '../../../src/documents/create-documents.ts';
import type { ContentType, TransferEntry, TransferFormat } from '../../../src/domain/config/document.ts';

const documents = createDocuments();

function written(format: TransferFormat, entries: readonly TransferEntry[]): string {
  const done = documents.write(format, entries);
  if (done.kind === 'problem') throw new Error(done.problem.message);
  return done.text;
}

function entriesIn(format: TransferFormat, text: string): readonly TransferEntry[] {
  const done = documents.read(format, text);
  if (done.kind === 'problem') throw new Error(`${done.problem.message}: line ${done.problem.line}`);
  return done.entries;
}

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.string({
    unit: fc.constantFrom(...' \t\n\r\f\0\x0b\x7f\x85\u2028\ufeff"\'`\\#$!:=-?&*|>%@,[]{}~naé😀1'),
    maxLength: 12,
  }),
  fc.constantFrom(
    'null',
    'yes',
    'No',
    '1e3',
    '0x1',
    '.5',
    '~',
    '<<',
    '---',
    '2020-01-01',
    '__proto__',
    'a\n\n b\n',
    'a\nb',
    '\ta\nb',
  ),
  fc.string({ unit: 'binary', minLength: 1_020, maxLength: 1_100 }),
);
const number = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
  fc.constantFrom('1e3', '-0', '1.50', '10000000000000000000000', '0.1E-2'),
);
const container = fc
  .oneof(fc.array(fc.jsonValue()), fc.dictionary(anyText, fc.jsonValue()))
  .chain((value) => fc.constantFrom(JSON.stringify(value), ` ${JSON.stringify(value, null, 2)}\n`));

function entry(key: string, value: string, contentType: ContentType = 'text'): TransferEntry {
  return { key, value, contentType };
}

function entriesOf(key: fc.Arbitrary<string>, values: fc.Arbitrary<[string, ContentType]>) {
  return fc.uniqueArray(
    fc.tuple(key, values).map(([name, [value, contentType]]) => entry(name, value, contentType)),
    { selector: ({ key: name }) => name, maxLength: 6 },
  );
}

/** Values of each content type, as they are read again. */
const anyValue = fc.oneof(
  anyText.map((value): [string, ContentType] => [value, 'text']),
  number.map((value): [string, ContentType] => [value, 'number']),
  fc.boolean().map((value): [string, ContentType] => [String(value), 'boolean']),
  container.map((value): [string, ContentType] => [value, 'json']),
);

function inOrder(entries: readonly TransferEntry[]): readonly TransferEntry[] {
  return entries.toSorted((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
}

/** What JSON means, by which it is compared; the rest is compared as it stands. */
function meaning({ key, value, contentType }: TransferEntry): unknown {
  return { key, contentType, value: contentType === 'json' ? JSON.parse(value) : value };
}

describe('writing entries, and reading them', () => {
  it.each<TransferFormat>(['json', 'yaml'])('gives all that they were in %s', (format) => {
    fc.assert(
      fc.property(entriesOf(anyText, anyValue), (entries) => {
        const read = entriesIn(format, written(format, entries));
        expect(read.map(meaning)).toEqual(inOrder(entries).map(meaning));
      }),
    );
  });

  it('gives the texts that they were in properties', () => {
    fc.assert(
      fc.property(entriesOf(anyText, anyValue), (entries) => {
        const texts = inOrder(entries).map(({ key, value }) => entry(key, value));
        expect(entriesIn('properties', written('properties', entries))).toEqual(texts);
      }),
    );
  });

  it('gives the texts that they were in dotenv', () => {
    const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_.-]{0,9}$/);
    fc.assert(
      fc.property(entriesOf(name, anyValue), (entries) => {
        if (entries.some(({ value }) => value.includes('\0'))) {
          expect(documents.write('dotenv', entries).kind).toBe('problem');
          return;
        }
        const texts = inOrder(entries).map(({ key, value }) => entry(key, value));
        expect(entriesIn('dotenv', written('dotenv', entries))).toEqual(texts);
      }),
    );
  });

  it.each<TransferFormat>(['json', 'yaml'])('keeps each digit of a number in %s', (format) => {
    const value = '{"a":[12345678901234567890,1.10]}';
    expect(entriesIn(format, written(format, [entry('k', value, 'json')]))).toEqual([
      entry('k', value, 'json'),
    ]);
  });

  it.each<TransferFormat>(['json', 'yaml', 'properties', 'dotenv'])('can be of none in %s', (format) => {
    expect(entriesIn(format, written(format, []))).toEqual([]);
  });

  it.each<TransferFormat>(['json', 'yaml'])('takes the deepest value that can be read in %s', (format) => {
    const value = '['.repeat(256) + ']'.repeat(256);
    expect(documents.parse('json', value).kind).toBe('data');
    expect(entriesIn(format, written(format, [entry('k', value, 'json')]))).toEqual([
      entry('k', value, 'json'),
    ]);
  });
});

describe('writing entries', () => {
  const entries = [
    entry('url', 'http://a/b?c=d#e'),
    entry('on', 'yes'),
    entry('motd', 'Hello\n\n  "you"\n'),
    entry('list', '[1,\n 2]', 'json'),
    entry('é', '1e3', 'number'),
  ];

  it.each<[TransferFormat, string]>([
    [
      'json',
      '{\n  "list": [1,\n 2],\n  "motd": "Hello\\n\\n  \\"you\\"\\n",\n  "on": "yes",\n  "url": "http://a/b?c=d#e",\n  "é": 1e3\n}\n',
    ],
    ['yaml', 'list: [1,2]\nmotd: |\n  Hello\n\n    "you"\n"on": "yes"\nurl: "http://a/b?c=d#e"\n"é": 1e3\n'],
    [
      'properties',
      'list=[1,\\n 2]\nmotd=Hello\\n\\n  "you"\\n\non=yes\nurl=http\\://a/b?c\\=d\\#e\n\\u00e9=1e3\n',
    ],
  ])('looks like this in %s', (format, text) => {
    expect(written(format, entries)).toBe(text);
  });

  it.each<[TransferFormat, TransferEntry, string]>([
    ['json', entry('k', 'x', 'number'), 'must be a number'],
    ['yaml', entry('k', '{', 'json'), 'must be JSON: the name of a member is expected here'],
    ['json', entry('k', '\ud800'), 'must not hold half of a character'],
    ['dotenv', entry('k', 'a\0'), 'must not hold a zero character, which no variable can'],
    [
      'dotenv',
      entry('a/b', 'x'),
      'must have a key of letters, digits, _, - and . that begins with a letter or _',
    ],
  ])('says in %s what cannot be held: %j', (format, one, message) => {
    const path = `/${one.key.replaceAll('/', '~1')}`;
    expect(documents.write(format, [entry('ok', '1'), one])).toEqual({
      kind: 'problem',
      problem: { message, path, line: 0 },
    });
  });

  it('says which key is there twice', () => {
    expect(documents.write('yaml', [entry('a', '1'), entry('b', '1'), entry('a', '2')])).toMatchObject({
      problem: { path: '/a', message: 'must not be there twice' },
    });
  });
});

describe('reading entries', () => {
  it('tells what they are in JSON', () => {
    const text = '{"b": "x", "a": 1.0, "10": true, "c": null, "d": {"e": [1]}, "f": "\\u00e9"}';
    expect(entriesIn('json', text)).toEqual([
      entry('b', 'x'),
      entry('a', '1.0', 'number'),
      entry('10', 'true', 'boolean'),
      entry('c', 'null', 'json'),
      entry('d', '{"e": [1]}', 'json'),
      entry('f', 'é'),
    ]);
  });

  it('tells what they are in YAML', () => {
    const text = 'b: x\na: 0x10\n10: True\nc:\nd: &d {e: [1, .50]}\ng: *d\nf: |\n  one\n  two\nh: 2020-01-01';
    expect(entriesIn('yaml', text)).toEqual([
      entry('b', 'x'),
      entry('a', '16', 'number'),
      entry('10', 'true', 'boolean'),
      entry('c', 'null', 'json'),
      entry('d', '{"e":[1,0.50]}', 'json'),
      entry('g', '{"e":[1,0.50]}', 'json'),
      entry('f', 'one\ntwo\n'),
      entry('h', '2020-01-01'),
    ]);
  });

  it.each<[TransferFormat, string, string, number, string]>([
    ['json', '\n[]', '', 2, 'must be a JSON object'],
    ['json', '{"a": 1,\n"a": 2}', '', 2, 'must not hold a member twice'],
    ['yaml', '- a', '', 1, 'must be a YAML map'],
    ['yaml', 'a: 1\na: 2', '', 2, 'must not hold a key twice'],
    ['properties', 'a=1\n\na=2', '/a', 3, 'must not be there twice'],
    ['dotenv', 'a=1\n\na=2', '/a', 3, 'must not be there twice'],
  ])('refuses in %s %j', (format, text, path, line, message) => {
    expect(documents.read(format, text)).toEqual({ kind: 'problem', problem: { path, line, message } });
  });
});
