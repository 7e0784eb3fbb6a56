import { describe, expect, it } from 'vitest';
import { list, secretKeys, secretToken } from '../../../src/settings/setting-types.ts';

const BYTES = Buffer.from(Array.from({ length: 32 }, (_, i) => 255 - i));
const KEY = BYTES.toString('base64');

describe('keys', () => {
  it.each(['a', '2026-01_A', '_-', 'x'.repeat(32)])('are read, the id being %s', (id) => {
    expect(secretKeys.read(`${id}:${KEY}`)).toEqual([{ id, key: BYTES }]);
  });

  it('stay in their order', () => {
    const keys = secretKeys.read(`b:${KEY}, a:${KEY} ,c:${KEY}`);
    expect(keys?.map(({ id }) => id)).toEqual(['b', 'a', 'c']);
  });

  it.each([
    ['without an id', KEY],
    ['of an empty id', `:${KEY}`],
    ['of an id that is too long', `${'x'.repeat(33)}:${KEY}`],
    ['of an id with a dot', `a.b:${KEY}`],
    ['of an id with a colon', `a:b:${KEY}`],
    ['that are empty', 'a:'],
    ['of 31 bytes', `a:${BYTES.subarray(1).toString('base64')}`],
    ['of 33 bytes', `a:${Buffer.concat([BYTES, Buffer.of(1)]).toString('base64')}`],
    ['in hexadecimal', `a:${BYTES.toString('hex')}`],
    ['in base64url', `a:${BYTES.toString('base64url')}`],
    ['without padding', `a:${KEY.slice(0, -1)}`],
    ['with bits behind their end', `a:${KEY.slice(0, -2)}B=`],
    ['of one id', `a:${KEY},a:${Buffer.alloc(32).toString('base64')}`],
    ['with nothing behind the comma', `a:${KEY},`],
  ])('are not taken %s', (_, given) => {
    expect(secretKeys.read(given)).toBeUndefined();
  });
});

describe('tokens', () => {
  it.each(['0123456789abcdef', '!"#$%&()*+-./:;<=>?@[]^_`{|}~', 'x'.repeat(1_000)])('may be %s', (token) => {
    expect(list(secretToken).read(token)).toEqual([token]);
  });

  it('are separated by commas', () => {
    expect(list(secretToken).read('0123456789abcdef, fedcba9876543210')).toEqual([
      '0123456789abcdef',
      'fedcba9876543210',
    ]);
  });

  it.each([
    '',
    '0123456789abcde',
    '0123456789 abcdef',
    '0123456789abcdéf',
    '0123456789abcdef,',
    '0123456789\tabcdef',
  ])('are not taken where one is %j', (token) => expect(list(secretToken).read(token)).toBeUndefined());
});
