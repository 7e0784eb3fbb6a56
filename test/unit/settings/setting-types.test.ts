import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  choice,
  duration,
  endpoint,
  file,
  flag,
  integer,
  keyPrefix,
  list,
  listenAddress,
  origin,
  path,
  processCount,
  type SettingType,
  text,
} from '../../../src/settings/setting-types.ts';

describe('a listening address', () => {
  it.each([
    ['127.0.0.1:8090', { host: '127.0.0.1', port: 8090 }],
    ['0.0.0.0:0', { host: '0.0.0.0', port: 0 }],
    ['localhost:65535', { host: 'localhost', port: 65_535 }],
    ['[::1]:8090', { host: '::1', port: 8090 }],
    ['[::ffff:127.0.0.1]:1', { host: '::ffff:127.0.0.1', port: 1 }],
  ])('is read from %s', (given, expected) => {
    expect(read(listenAddress, given)).toEqual(expected);
  });

  it.each([
    '',
    '8090',
    ':8090',
    '127.0.0.1',
    '127.0.0.1:',
    'a:65536',
    'a:-1',
    '::1:8090',
    'http://a:1',
    'a:1/',
    'a b:1',
  ])('is not %j', (given) => expect(read(listenAddress, given)).toBe(REFUSED));
});

describe('a number of processes', () => {
  it.each([
    ['1', 1],
    ['64', 64],
  ])('is read from %s', (given, expected) => {
    expect(read(processCount(64), given)).toBe(expected);
  });

  it('is that of the cores where it says auto, as far as its bound', () => {
    expect(read(processCount(64), 'auto')).toBe(Math.min(availableParallelism(), 64));
    expect(read(processCount(1), 'auto')).toBe(1);
  });

  it.each(['', '0', '-1', '65', '1.5', '2x', 'Auto'])('is not %j', (given) =>
    expect(read(processCount(64), given)).toBe(REFUSED),
  );
});

describe('an endpoint', () => {
  it.each([
    ['http://127.0.0.1:2379', 'http://127.0.0.1:2379'],
    ['https://etcd-1.example.com:2379', 'https://etcd-1.example.com:2379'],
    ['http://[::1]:2379', 'http://[::1]:2379'],
    ['etcd:2379', 'http://etcd:2379'],
  ])('is read from %s', (given, expected) => {
    expect(read(endpoint, given)).toBe(expected);
  });

  it.each([
    '',
    'etcd',
    'http://etcd',
    'ftp://etcd:2379',
    'http://etcd:2379/',
    'http://me:secret@etcd:2379',
    'http://etcd:65536',
    'http://1.2.3.4.5:2379',
    'http://[::::]:2379',
    'http://[]:2379',
  ])('is not %j', (given) => {
    expect(read(endpoint, given)).toBe(REFUSED);
  });

  it('is an address that the rest of the program can read, whatever was given', () => {
    fc.assert(
      fc.property(endpointLike, (given) => {
        const value = read(endpoint, given);
        if (value !== REFUSED) expect(() => new URL(value)).not.toThrow();
      }),
    );
  });
});

describe('a time', () => {
  it.each([
    ['100ms', 100],
    ['1.5s', 1_500],
    ['2m', 120_000],
    ['1h', 3_600_000],
  ])('is read from %s', (given, expected) => {
    expect(read(duration(0, 3_600_000), given)).toBe(expected);
  });

  it.each(['', '5', 's', '-1s', '1 s', '1e3ms', '1d', '.5s', '1.s', '1,5s', 'Infinitys', '99ms', '61m'])(
    'is not %j',
    (given) => {
      expect(read(duration(100, 3_600_000), given)).toBe(REFUSED);
    },
  );

  it('is a whole number of milliseconds within its bounds, whatever was given', () => {
    const amount = fc.nat({ max: 100_000_000 }).map((thousandths) => (thousandths / 1_000).toFixed(3));
    fc.assert(
      fc.property(amount, fc.constantFrom('ms', 's', 'm', 'h'), (number, unit) => {
        const value = read(duration(100, 60_000), `${number}${unit}`);
        if (value === REFUSED) return;
        expect(Number.isInteger(value)).toBe(true);
        expect(value).toBeGreaterThanOrEqual(100);
        expect(value).toBeLessThanOrEqual(60_000);
      }),
    );
  });

  it('tells its bounds', () => {
    expect(duration(100, 3_600_000).expects).toMatch(/^a time from 100ms to (60m|1h),/);
    expect(duration(1_000, 90_000).expects).toMatch(/^a time from 1s to 90s,/);
  });
});

describe('a whole number', () => {
  it('is read within its bounds, and refused outside', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.nat(), (a, b, number) => {
        const [min, max] = [Math.min(a, b), Math.max(a, b)];
        const isWithin = number >= min && number <= max;
        expect(read(integer(min, max), String(number))).toBe(isWithin ? number : REFUSED);
      }),
    );
  });

  it.each(['', '-1', '1.5', '1e3', '0x10', ' 1', '1_000', 'NaN', '9'.repeat(400)])('is not %j', (given) => {
    expect(read(integer(0, 1_000_000), given)).toBe(REFUSED);
  });
});

describe('a key prefix', () => {
  it.each(['/services', '/a', '/a/b', '/ключ 键', `/${'x'.repeat(255)}`])('is %j', (given) => {
    expect(read(keyPrefix, given)).toBe(given);
  });

  it.each(['', '/', 'services', '/services/', '//', `/${'x'.repeat(256)}`])('is not %j', (given) => {
    expect(read(keyPrefix, given)).toBe(REFUSED);
  });

  it('begins with a slash and does not end with one, whatever was given', () => {
    const given = fc
      .array(fc.constantFrom('/', 'a', 'é', '\n', ' '), { maxLength: 300 })
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(given, (candidate) => {
        const value = read(keyPrefix, candidate);
        if (value === REFUSED) return;
        expect(value).toBe(candidate);
        expect(value.startsWith('/') && !value.endsWith('/') && value.length <= 256).toBe(true);
      }),
    );
  });
});

describe('an origin', () => {
  it.each(['*', 'https://app.example.com', 'http://localhost:5173'])('is %j', (given) => {
    expect(read(origin, given)).toBe(given);
  });

  it.each(['', 'app.example.com', 'https://app.example.com/', 'https://*.example.com', 'null', 'ftp://a'])(
    'is not %j',
    (given) => expect(read(origin, given)).toBe(REFUSED),
  );
});

describe('a file', () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'concord-settings-'));
  });

  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it('is read to the byte', () => {
    const name = join(folder, 'bytes');
    writeFileSync(name, Uint8Array.of(0, 255, 10));
    expect(read(file, name)).toEqual(Buffer.of(0, 255, 10));
  });

  it('is neither one that is missing nor a folder', () => {
    expect(read(file, join(folder, 'missing'))).toBe(REFUSED);
    expect(read(file, folder)).toBe(REFUSED);
  });
});

describe('the plain kinds', () => {
  it('take a text as it is, but not an empty one', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (given) => {
        for (const type of [text, path]) expect(read(type, given)).toBe(given === '' ? REFUSED : given);
      }),
    );
  });

  it('take true and false for a flag, and nothing else', () => {
    expect([read(flag, 'true'), read(flag, 'false')]).toEqual([true, false]);
    for (const given of ['', 'TRUE', 'yes', '1', '0', 'true ']) expect(read(flag, given)).toBe(REFUSED);
  });

  it('take one of the words of a choice, and name them all', () => {
    const type = choice(['json', 'text']);
    expect([read(type, 'json'), read(type, 'text')]).toEqual(['json', 'text']);
    for (const given of ['', 'JSON', 'json,text']) expect(read(type, given)).toBe(REFUSED);
    expect(type.expects).toBe('json, text');
  });
});

describe('a list', () => {
  it('holds what its parts are read as, however they are spaced', () => {
    const spaces = fc.constantFrom('', ' ', '  ');
    const part = fc.tuple(fc.nat({ max: 100 }), spaces, spaces);
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 10 }), (parts) => {
        const given = parts.map(([number, before, after]) => `${before}${number}${after}`).join(',');
        expect(read(list(integer(0, 100)), given)).toEqual(parts.map(([number]) => number));
      }),
    );
  });

  it.each(['', ',', '1,', ',1', '1,,2', '1,101'])('is not %j', (given) => {
    expect(read(list(integer(0, 100)), given)).toBe(REFUSED);
  });
});

const REFUSED = Symbol('refused');

/** What almost are endpoints. */
const endpointLike = fc
  .tuple(
    fc.constantFrom('', 'http://', 'https://'),
    fc.oneof(
      fc.ipV4(),
      fc.ipV6().map((address) => `[${address}]`),
      fc.domain(),
      fc
        .array(fc.constantFrom('0', '9', '.', '-', 'a', 'x'), { minLength: 1, maxLength: 8 })
        .map((parts) => parts.join('')),
      fc
        .array(fc.constantFrom(':', 'f', '1', '.'), { minLength: 1, maxLength: 8 })
        .map((parts) => `[${parts.join('')}]`),
    ),
    fc.nat({ max: 99_999 }),
  )
  .map(([scheme, host, port]) => `${scheme}${host}:${port}`);

/** What a setting of this kind is read as. */
function read<T>(type: SettingType<T>, given: string): T | typeof REFUSED {
  return type.read(given) ?? REFUSED;
}
