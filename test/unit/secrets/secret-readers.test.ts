import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSecretReaders } from '../../../src/secrets/secret-readers.ts';

const TOKEN = 'correct-horse:battery';
const OTHER = 'staple-0123456789';

const maySecretsBeRead = createSecretReaders([TOKEN, OTHER]);

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

describe('a caller that shows a token', () => {
  it.each([
    ['as a bearer token', `Bearer ${TOKEN}`],
    ['the other one', `Bearer ${OTHER}`],
    ['in lower case', `bearer ${TOKEN}`],
    ['in upper case', `BEARER  ${TOKEN}`],
    ['as a password', basic('root', TOKEN)],
    ['as the password of nobody', basic('', OTHER)],
    ['as a password, in lower case', basic('configUser', OTHER).replace('Basic', 'basic')],
  ])('may read secrets: %s', (_, header) => {
    expect(maySecretsBeRead(header)).toBe(true);
  });
});

describe('any other caller', () => {
  it.each([
    ['shows nothing', undefined],
    ['shows an empty header', ''],
    ['shows no token', 'Bearer'],
    ['shows an empty token', 'Bearer '],
    ['shows the token alone', TOKEN],
    ['shows it in another scheme', `Token ${TOKEN}`],
    ['shows it in another case', `Bearer ${TOKEN.toUpperCase()}`],
    ['shows the beginning of one', `Bearer ${TOKEN.slice(0, -1)}`],
    ['shows more than one', `Bearer ${TOKEN}${OTHER}`],
    ['shows two', `Bearer ${TOKEN} ${OTHER}`],
    ['shows it as the user', basic(OTHER, '')],
    ['shows no password', `Basic ${Buffer.from(OTHER).toString('base64')}`],
    ['shows it as the password, not encoded', `Basic root:${OTHER}`],
    ['shows a password that is none', basic('root', 'hunter2')],
  ])('may not: it %s', (_, header) => {
    expect(maySecretsBeRead(header)).toBe(false);
  });

  it('may not, whatever it shows', () => {
    fc.assert(
      fc.property(fc.string(), fc.constantFrom('', 'Bearer ', 'Basic '), (text, scheme) => {
        expect(maySecretsBeRead(scheme + text)).toBe(false);
      }),
    );
  });

  it('may not where there are no tokens', () => {
    const readers = createSecretReaders([]);
    for (const header of [undefined, '', 'Bearer ', `Bearer ${TOKEN}`, basic('', '')]) {
      expect(readers(header)).toBe(false);
    }
  });
});
