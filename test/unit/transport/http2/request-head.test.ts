import { describe, expect, it } from 'vitest';
import { type RequestHead, RequestHeads } from '../../../../src/transport/http2/request-head.ts';
import {
  hpackField,
  hpackFields,
  hpackIndex,
  hpackTableSize,
  NEWEST_INDEX,
} from '../../../support/hpack-encoder.ts';

type Field = readonly [name: string, value: string];

const PSEUDO: readonly Field[] = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/a'],
  [':authority', 'b'],
];
const BUT = (name: string, ...others: Field[]) => [...PSEUDO.filter((each) => each[0] !== name), ...others];

/** What RFC 9113 forbids in 8.2 and 8.3, and RFC 9110 in what these refer to. */
const MALFORMED: readonly (readonly [what: string, fields: readonly Field[]])[] = [
  ['nothing', []],
  ...PSEUDO.slice(0, 3).map(([name]) => [`no ${name}`, BUT(name)] as const),
  ...PSEUDO.map((each) => [`${each[0]} twice`, [...PSEUDO, each]] as const),
  ['a status', [...PSEUDO, [':status', '200']]],
  ['an unknown pseudo-header', [...PSEUDO, [':x', '1']]],
  ['a name that is a colon', [...PSEUDO, [':', '1']]],
  ['a pseudo-header behind another field', [['x', '1'], ...PSEUDO]],
  ['an empty method', BUT(':method', [':method', ''])],
  ['a method with a space', BUT(':method', [':method', 'GET /'])],
  [
    'CONNECT, which has no path',
    [
      [':method', 'CONNECT'],
      [':authority', 'a:1'],
    ],
  ],
  ['a scheme that is none', BUT(':scheme', [':scheme', '1:'])],
  ['an empty path', BUT(':path', [':path', ''])],
  ['a path without a slash', BUT(':path', [':path', 'a'])],
  ['a path with a space', BUT(':path', [':path', '/a b'])],
  ['a path with a line break', BUT(':path', [':path', '/a\r\nb'])],
  ['an asterisk of another method', BUT(':path', [':path', '*'])],
  ['a line break in the authority', BUT(':authority', [':authority', 'a\nb'])],
  ...['X', 'x y', 'x\0', 'x:', 'x\x7f', 'x\xe4', '', '(x)'].map(
    (name) => [`the name ${JSON.stringify(name)}`, [...PSEUDO, [name, '1']] as const] as const,
  ),
  ...['a\0', 'a\nb', 'a\rb', 'a\x7f', '\x01'].map(
    (value) => [`the value ${JSON.stringify(value)}`, [...PSEUDO, ['x', value]] as const] as const,
  ),
  ...['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'].map(
    (name) => [`the field ${name}`, [...PSEUDO, [name, 'x']] as const] as const,
  ),
  ['a te that asks for more than trailers', [...PSEUDO, ['te', 'gzip']]],
  ...['-1', '1.5', 'x', '', '1, 1', '+1', '1234567890123456'].map(
    (length) =>
      [`the length ${JSON.stringify(length)}`, [...PSEUDO, ['content-length', length]] as const] as const,
  ),
  ['two lengths', [...PSEUDO, ['content-length', '1'], ['content-length', '2']]],
];

function headOf(...fields: readonly Field[]): RequestHead {
  const head = new RequestHeads().read(hpackFields([...PSEUDO, ...fields]));
  if (typeof head === 'string') throw new Error(`it is ${head}`);
  return head;
}

describe('the head of a request', () => {
  it('is what its fields say', () => {
    expect(headOf(['content-type', 'x'], ['te', 'trailers'], ['content-length', '7'])).toEqual({
      method: 'POST',
      scheme: 'http',
      path: '/a',
      authority: 'b',
      headers: { 'content-type': 'x', te: 'trailers', 'content-length': '7' },
      contentLength: 7,
    });
  });

  it('may name no authority, and no path but an asterisk of OPTIONS', () => {
    const heads = new RequestHeads();
    const fields = [
      [':method', 'OPTIONS'],
      [':scheme', 'https'],
      [':path', '*'],
    ] as const;
    expect(heads.read(hpackFields(fields))).toMatchObject({ path: '*', authority: undefined });
  });

  it('has fields of one name as node:http has them', () => {
    const twice = (name: string, ...values: readonly string[]) =>
      headOf(...values.map((value) => [name, value] as const)).headers[name];
    expect(twice('x', '1', '2', '3')).toBe('1, 2, 3');
    expect(twice('cookie', 'a=1', 'b=2')).toBe('a=1; b=2');
    expect(twice('set-cookie', 'a', 'b')).toEqual(['a', 'b']);
    expect(twice('content-type', 'a', 'b')).toBe('a');
    expect(twice('content-length', '5', '5')).toBe('5');
  });

  it.each(['__proto__', 'constructor', 'tostring', 'hasownproperty'])('takes %s for a field', (name) => {
    const { headers } = headOf([name, '1'], [name, '2']);
    expect(Object.keys(headers)).toEqual([name]);
    expect(headers[name]).toBe('1, 2');
    expect(headers['valueOf']).toBeUndefined();
  });

  it('bears any text in values, and white space around it, which is not of them', () => {
    expect(headOf(['x', ' \xe4 \t\xff\xa0\t']).headers['x']).toBe('\xe4 \t\xff\xa0');
    expect(headOf(['x', ' \t ']).headers['x']).toBe('');
    expect(headOf(['content-length', ' 5 ']).contentLength).toBe(5);
  });

  it.each(MALFORMED)('is malformed where it has %s', (_, fields) => {
    expect(new RequestHeads().read(hpackFields(fields))).toBe('malformed');
  });

  it('is too large over 64 KiB, and the next one is read', () => {
    const heads = new RequestHeads();
    const value = 'x'.repeat(32 * 1024);
    expect(heads.read(hpackFields([...PSEUDO, ['a', value], ['b', value]]))).toBe('too large');
    expect(heads.read(hpackFields(PSEUDO))).toMatchObject({ path: '/a' });
  });
});

describe('the heads of a connection', () => {
  const KEPT = hpackField('x', 'first', { isKept: true });
  const OTHER = hpackField('x', 'second', { isKept: true });
  /** Names the field that was put last in the table. */
  const NAMING = Buffer.concat([hpackFields(PSEUDO), hpackIndex(NEWEST_INDEX)]);

  /** Reads a block until it is known, and returns the field that it names. */
  function settle(heads: RequestHeads): unknown {
    heads.read(Buffer.concat([hpackFields(PSEUDO), KEPT]));
    return [1, 2, 3].map(() => named(heads));
  }

  function named(heads: RequestHeads): unknown {
    const head = heads.read(NAMING);
    return typeof head === 'string' ? head : head.headers['x'];
  }

  it('are the same object where they are the same bytes', () => {
    const heads = new RequestHeads();
    settle(heads);
    expect(heads.read(NAMING)).toBe(heads.read(Buffer.from(NAMING)));
    expect(new RequestHeads().read(hpackFields(PSEUDO))).not.toBe(heads.read(hpackFields(PSEUDO)));
  });

  it('have another meaning once a request has changed the table', () => {
    const heads = new RequestHeads();
    expect(settle(heads)).toEqual(['first', 'first', 'first']);
    heads.read(Buffer.concat([hpackFields(PSEUDO), OTHER]));
    expect(named(heads)).toBe('second');
  });

  it('have another meaning once trailers have changed the table', () => {
    const heads = new RequestHeads();
    expect(settle(heads)).toEqual(['first', 'first', 'first']);
    expect(heads.readTrailers(OTHER)).toBe(true);
    expect(named(heads)).toBe('second');
  });

  it('have another meaning once a malformed or too large request has changed the table', () => {
    for (const rest of [hpackField('X', '1'), hpackField('y', 'y'.repeat(70_000))]) {
      const heads = new RequestHeads();
      settle(heads);
      expect(heads.read(Buffer.concat([hpackFields(PSEUDO), OTHER, rest]))).toBeTypeOf('string');
      expect(named(heads)).toBe('second');
    }
  });

  it('have no meaning once the table is empty', () => {
    const heads = new RequestHeads();
    settle(heads);
    heads.read(Buffer.concat([hpackTableSize(0), hpackFields(PSEUDO)]));
    expect(() => named(heads)).toThrow('no field has index 62');
  });

  it('are right however many there are', () => {
    const heads = new RequestHeads();
    for (let round = 0; round < 3; round += 1)
      for (let n = 0; n < 200; n += 1)
        expect(heads.read(hpackFields([...PSEUDO, ['x', String(n)]]))).toMatchObject({
          headers: { x: String(n) },
        });
  });
});

describe('the trailers of a request', () => {
  it.each([
    ['none', [], true],
    [
      'fields',
      [
        ['x', '1'],
        ['grpc-status', '0'],
      ],
      true,
    ],
    ['a pseudo-header', [[':path', '/']], false],
    ['a name in capitals', [['X', '1']], false],
    ['a line break', [['x', 'a\nb']], false],
    ['a field of the connection', [['connection', 'close']], false],
    ['more than 64 KiB', [['x', 'x'.repeat(70_000)]], false],
  ] as const)('may be %s: %s', (_, fields, areAllowed) => {
    expect(new RequestHeads().readTrailers(hpackFields(fields))).toBe(areAllowed);
  });
});
