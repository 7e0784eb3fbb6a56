import { describe, expect, it } from 'vitest';
import { createDocuments } from '../../../src/documents/create-documents.ts';
import type { ContentType } from '../../../src/domain/config/document.ts';

const documents = createDocuments();

function dataOf(contentType: ContentType, text: string): unknown {
  const parsed = documents.parse(contentType, text);
  if (parsed.kind === 'problem') throw new Error(parsed.problem.message);
  return parsed.data;
}

function problemOf(contentType: ContentType, text: string): unknown {
  const parsed = documents.parse(contentType, text);
  return parsed.kind === 'problem' ? parsed.problem : undefined;
}

describe('reading a value', () => {
  it.each<[ContentType, string, unknown]>([
    ['text', 'anything: [', 'anything: ['],
    ['number', '-1.5e3', -1_500],
    ['boolean', 'false', false],
    [
      'json',
      ' {"a": [1, "\\u00e9\\n", null], "__proto__": 2} ',
      JSON.parse('{"a":[1,"é\\n",null],"__proto__":2}'),
    ],
    ['yaml', '', null],
    ['yaml', 'a: no\nb: 0x1f\nc: 007\nd: +1.\ne: .5\nf: ~', { a: 'no', b: 31, c: 7, d: 1, e: 0.5, f: null }],
    ['yaml', '%YAML 1.1\n---\na: no', { a: 'no' }],
    ['yaml', 'base: &b {x: 1}\nuse: [*b, *b]', { base: { x: 1 }, use: [{ x: 1 }, { x: 1 }] }],
    ['yaml', '8080: a\ntrue: b\n<<: {c: d}', { 8080: 'a', true: 'b', '<<': { c: 'd' } }],
    ['toml', 'a.b = 1\n[[c]]\nd = "e"', { a: { b: 1 }, c: [{ d: 'e' }] }],
    [
      'toml',
      'a = 1979-05-27T00:32:00-07:00\nb = 1979-05-27\nc = 07:32:00',
      { a: '1979-05-27T00:32:00.000-07:00', b: '1979-05-27', c: '07:32:00.000' },
    ],
    ['toml', 'a = 9007199254740993', { a: 9_007_199_254_740_992 }],
  ])('of %s %j gives %j', (contentType, text, data) => {
    expect(dataOf(contentType, text)).toEqual(data);
  });

  // Each was also given to java.util.Properties.
  it.each<[string, Record<string, string>]>([
    ['a=1\nb:2\nc 3\nd', { a: '1', b: '2', c: '3', d: '' }],
    ['# x\n ! y\n  a  =  1  ', { a: '1  ' }],
    ['a = b\\\n   c\\\r\n\td', { a: 'bcd' }],
    ['a\\:b\\ c=\\u00e9\\t\\q\\\\', { 'a:b c': 'é\tq\\' }],
    ['a=1\na=2', { a: '2' }],
    ['#a\\\nb=1', { b: '1' }],
    ['a = = b', { a: '= b' }],
    ['a=1\\', { a: '1' }],
    ['=x', { '': 'x' }],
  ])('of properties %j gives %j', (text, data) => {
    expect(dataOf('properties', text)).toEqual(data);
  });

  it.each<[ContentType, string, number, string]>([
    ['number', ' 1', 1, 'must be a number'],
    ['number', '01', 1, 'must be a number'],
    ['number', 'NaN', 1, 'must be a number'],
    ['number', '1e999', 1, 'must be a number'],
    ['boolean', 'True', 1, 'must be true or false'],
    ['json', '', 1, 'must be JSON: a value is expected here'],
    ['json', '{"a": 1,\n"b": sesame}', 2, 'must be JSON: a value is expected here'],
    ['json', '[1,\n]', 2, 'must be JSON: a value is expected here'],
    ['json', '[1\n2]', 2, 'must be JSON: a comma or ] is expected here'],
    ['json', '{"a"\n1}', 2, 'must be JSON: a colon is expected here'],
    ['json', '{a: 1}', 1, 'must be JSON: the name of a member is expected here'],
    ['json', '1\n\nsesame', 3, 'must be JSON: something stands behind its end'],
    ['json', '["a\nb"]', 1, 'must be JSON: control characters in texts must be written as escapes'],
    ['json', '"\\x"', 1, 'must be JSON: an escape that does not exist'],
    ['json', '\n"abc', 2, 'must be JSON: a text does not end'],
    ['json', '[1e999]', 1, 'must not hold a number as large as this'],
    ['json', '{"a": 1,\n"a": 2}', 2, 'must not hold a member twice'],
    ['yaml', 'a: 1\nb: [2\nc: 3', 3, 'must be YAML: the indentation is wrong'],
    ['yaml', 'a: sesame: x', 1, 'must be YAML: a map cannot stand on the line of a key'],
    ['yaml', 'a: 1\nb: "x', 2, 'must be YAML: a character is missing, such as a comma, a quote or a bracket'],
    ['yaml', 'a: 1\n"a": 2', 2, 'must not hold a key twice'],
    ['yaml', '- a\n---\n- b', 2, 'must be one YAML document'],
    ['yaml', 'a: 1\nb: !foo sesame', 2, 'must not hold a tag beyond those for what JSON can hold'],
    ['yaml', 'a: !!binary c2VzYW1l', 1, 'must not hold a tag beyond those for what JSON can hold'],
    ['yaml', 'a: 1\nb: .inf', 2, 'must not hold .inf, .nan or a number as large'],
    ['yaml', 'a: &x [*x]', 1, 'must not refer to what stands around or behind the alias'],
    ['yaml', '[a]: 1', 1, 'must have texts as keys'],
    ['toml', 'a = 1\nb = sesame', 2, 'must be TOML: invalid value'],
    ['toml', 'a = 1\n\na = 2', 3, 'must be TOML: trying to redefine an already defined table or value'],
    [
      'properties',
      'a=1\n#\\u\nb=\\u12\nc=2',
      3,
      'must not hold an escape \\u without four hexadecimal digits',
    ],
  ])('of %s %j says line %j: %s', (contentType, text, line, message) => {
    expect(problemOf(contentType, text)).toEqual({ message, path: '', line });
  });

  it('of TOML says where a number stands that JSON does not have', () => {
    expect(problemOf('toml', '[a]\nb = 1\nc = nan')).toMatchObject({ path: '/a/c', line: 3 });
  });

  it('says nothing of what the text holds', () => {
    const secret = 'sesame';
    const broken: readonly [ContentType, string][] = [
      ['number', secret],
      ['boolean', secret],
      ['properties', `a=${secret}\\u1`],
      ...['json', 'yaml', 'toml'].flatMap((contentType) =>
        [
          'a: b: ',
          'a = ',
          '"',
          '{"a": ',
          '[',
          '@',
          '%',
          '&',
          '*',
          '!',
          'a: |',
          '- ',
          '\ta: ',
          '[[',
          '"\\',
        ].flatMap((start): [ContentType, string][] => [
          [contentType as ContentType, `${start}${secret}`],
          [contentType as ContentType, `${start}${secret}]`],
          [contentType as ContentType, `${start}${secret}\n }${secret}`],
        ]),
      ),
    ];
    const problems = broken.map(([contentType, text]) => problemOf(contentType, text)).filter(Boolean);
    expect(problems.length).toBeGreaterThan(80);
    expect(JSON.stringify(problems)).not.toContain(secret);
  });
});
