import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCipher, type SecretKey } from '../../../src/secrets/create-cipher.ts';

const MIB = 1 << 20;

const old: SecretKey = { id: '2025', key: randomBytes(32) };
const current: SecretKey = { id: 'key_2026-A', key: randomBytes(32) };
const cipher = createCipher([current, old]);

const someBytes = fc.uint8Array({ maxLength: 100 });
const someName = fc.string({ unit: 'grapheme' });

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}

describe('an encrypted value', () => {
  it('is read by whoever has its key and knows what it is bound to', () => {
    fc.assert(
      fc.property(someBytes, someName, (value, boundTo) => {
        const decrypted = cipher.decrypt(cipher.encrypt(value, boundTo), boundTo);
        expect(decrypted && Buffer.from(decrypted)).toEqual(Buffer.from(value));
      }),
    );
  });

  it.each([0, 1, MIB])('may hold %i bytes', (length) => {
    const value = randomBytes(length);
    const encrypted = cipher.encrypt(value, 'a');
    expect(cipher.keyIdOf(encrypted)).toBe(current.id);
    expect(Buffer.compare(cipher.decrypt(encrypted, 'a') ?? Buffer.of(1, 2, 3), value)).toBe(0);
  });

  it('is text that names its key, and nothing of what it holds', () => {
    const encrypted = textOf(cipher.encrypt(Buffer.from('hunter2'), 'a'));
    // 12 bytes of IV, 7 of ciphertext and 16 of tag are 47 characters.
    expect(encrypted).toMatch(/^concord:secret:v1:key_2026-A:[\w-]{47}$/);
    const [, , , , sealed = ''] = encrypted.split(':');
    expect(Buffer.from(sealed, 'base64url').includes('hunter2')).toBe(false);
  });

  it('is another each time', () => {
    const encrypted = Array.from({ length: 100 }, () => textOf(cipher.encrypt(Buffer.from('a'), 'a')));
    expect(new Set(encrypted).size).toBe(100);
  });

  it('is read where it lies in the middle of a larger buffer', () => {
    const encrypted = cipher.encrypt(Buffer.from('a'), 'a');
    const within = new Uint8Array([7, 7, ...encrypted, 7]).subarray(2, -1);
    expect(textOf(cipher.decrypt(within, 'a') ?? Buffer.of())).toBe('a');
  });

  it('is not read with any bit of it flipped', () => {
    const length = cipher.encrypt(Buffer.from('some value'), 'a').length;
    fc.assert(
      fc.property(fc.nat({ max: length - 1 }), fc.nat({ max: 7 }), (at, bit) => {
        const damaged = Uint8Array.from(cipher.encrypt(Buffer.from('some value'), 'a'));
        damaged[at] = (damaged[at] ?? 0) ^ (1 << bit);
        expect(cipher.decrypt(damaged, 'a')).toBeUndefined();
      }),
      { numRuns: 1_000 },
    );
  });

  it('is not read cut short or with more behind it', () => {
    const encrypted = cipher.encrypt(Buffer.from('some value'), 'a');
    for (let length = 0; length < encrypted.length; length += 1) {
      expect(cipher.decrypt(encrypted.subarray(0, length), 'a'), `${length} bytes`).toBeUndefined();
    }
    for (const tail of ['A', 'AAAA', '=', '\n', ' ', '\0']) {
      expect(cipher.decrypt(Buffer.concat([encrypted, Buffer.from(tail)]), 'a')).toBeUndefined();
    }
  });

  it('is not read as what is bound to something else', () => {
    fc.assert(
      fc.property(someBytes, someName, someName, (value, boundTo, other) => {
        fc.pre(boundTo !== other);
        expect(cipher.decrypt(cipher.encrypt(value, boundTo), other)).toBeUndefined();
      }),
    );
  });

  it('is not read with another key, though of the same id', () => {
    const other = createCipher([{ id: current.id, key: randomBytes(32) }]);
    const encrypted = cipher.encrypt(Buffer.from('a'), 'a');
    expect(other.keyIdOf(encrypted)).toBe(current.id);
    expect(other.decrypt(encrypted, 'a')).toBeUndefined();
  });

  it('is not read under another id, though with the same key', () => {
    const encrypted = textOf(cipher.encrypt(Buffer.from('a'), 'a'));
    const renamed = createCipher([{ id: 'other', key: current.key }]);
    expect(renamed.decrypt(bytesOf(encrypted.replace(current.id, 'other')), 'a')).toBeUndefined();
  });

  it('is not read without its key', () => {
    const encrypted = cipher.encrypt(Buffer.from('a'), 'a');
    for (const keys of [[], [old]]) {
      expect(createCipher(keys).decrypt(encrypted, 'a')).toBeUndefined();
      expect(createCipher(keys).keyIdOf(encrypted)).toBe(current.id);
    }
  });
});

describe('the keys of a cipher', () => {
  it('are written with by the first, and read with by all', () => {
    expect(cipher.currentKeyId).toBe(current.id);
    const byOld = createCipher([old]).encrypt(Buffer.from('a'), 'a');
    expect(cipher.keyIdOf(byOld)).toBe(old.id);
    expect(textOf(cipher.decrypt(byOld, 'a') ?? Buffer.of())).toBe('a');
    expect(cipher.keyIdOf(cipher.encrypt(Buffer.from('a'), 'a'))).toBe(current.id);
  });

  it('may be none: then nothing can be written', () => {
    const none = createCipher([]);
    expect(none.currentKeyId).toBeUndefined();
    expect(() => none.encrypt(Buffer.from('a'), 'a')).toThrow(/CONCORD_SECRET_KEYS/);
  });
});

describe('a value that is not encrypted', () => {
  const sealed = Buffer.alloc(28).toString('base64url');

  it.each([
    '',
    'concord:secret:v1',
    'concord:secret:v1:',
    'concord:secret:v1::',
    'concord:secret:v1:a',
    'concord:secret:v1:a:',
    'concord:secret:v1:a:hello',
    `concord:secret:v1::${sealed}`,
    `concord:secret:v1:a b:${sealed}`,
    `concord:secret:v1:${'a'.repeat(33)}:${sealed}`,
    `concord:secret:v1:a:${sealed}:`,
    `concord:secret:v1:a:${sealed}\n`,
    `concord:secret:v1:a:${sealed}==`,
    `concord:secret:v1:a:${sealed.slice(0, -1)}B`,
    `concord:secret:v1:a:${sealed.slice(0, -2)}`,
    `concord:secret:v1:a:${sealed.replace('A', '+')}`,
    `concord:secret:v1:a:${sealed.replace('A', 'é')}`,
    `concord:secret:v2:a:${sealed}`,
    ` concord:secret:v1:a:${sealed}`,
    `Concord:secret:v1:a:${sealed}`,
  ])('is told, though it begins like one: %j', (text) => {
    expect(cipher.keyIdOf(bytesOf(text))).toBeUndefined();
    expect(cipher.decrypt(bytesOf(text), 'a')).toBeUndefined();
  });

  it('has the whole layout otherwise, whoever wrote it', () => {
    const longest = 'a'.repeat(32);
    for (const id of ['a', '_-', longest]) {
      const text = `concord:secret:v1:${id}:${sealed}`;
      expect(cipher.keyIdOf(bytesOf(text))).toBe(id);
      expect(cipher.decrypt(bytesOf(text), 'a')).toBeUndefined();
    }
  });

  it('is told of any bytes', () => {
    fc.assert(
      fc.property(someBytes, (value) => {
        expect(cipher.keyIdOf(value)).toBeUndefined();
        expect(
          cipher.keyIdOf(Buffer.concat([Buffer.from('concord:secret:v1:a:'), value, Buffer.of(0)])),
        ).toBe(undefined);
      }),
    );
  });
});
