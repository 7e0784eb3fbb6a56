import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ItemName } from '../../../src/domain/config/config-item.ts';
import { createConfigKeys } from '../../../src/domain/config/config-keys.ts';
import { contains, type KeySpan } from '../../../src/domain/key-range.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const ROOT = '/concord/config/%2Fconfig/';
const keys = createConfigKeys('/config');

const character = fc.constantFrom(...'%/25F.-*? äß😀\u2028\ufeffab', 'default', 'record', 'value', '%2F');
const text = (maxLength: number) => fc.string({ unit: character, minLength: 1, maxLength });
const slashless = text(6).map((name) => name.replaceAll('/', '|'));
const itemName: fc.Arbitrary<ItemName> = fc.record({
  application: slashless,
  profile: fc.oneof(fc.constant('default'), slashless),
  key: text(10),
});

const has = (range: KeySpan, key: Uint8Array) => contains(range, key);
const read = (key: string) => keys.readItem(encoder.encode(key));
const applicationOf = (key: string) => keys.applicationOf(encoder.encode(key));

describe('the keys of an item', () => {
  it('are read as what they were made of, whatever its names hold', () => {
    fc.assert(
      fc.property(itemName, (name) => {
        expect(keys.readItem(keys.value(name))).toEqual({ kind: 'value', name });
        expect(keys.readItem(keys.record(name))).toEqual({ kind: 'record', name });
        expect(keys.applicationOf(keys.value(name))).toBe(name.application);
        expect(keys.applicationOf(keys.record(name))).toBe(name.application);
      }),
      { numRuns: 2_000 },
    );
  });

  it('are those of no other item', () => {
    fc.assert(
      fc.property(itemName, itemName, (a, b) => {
        fc.pre(JSON.stringify(a) !== JSON.stringify(b));
        const all = (name: ItemName) => [keys.value(name), keys.record(name), ...entriesOf(name)];
        const ids = [...all(a), ...all(b)].map((key) => decoder.decode(key));
        expect(new Set(ids).size).toBe(ids.length);
      }),
      { numRuns: 2_000 },
    );
  });

  it('lie in the ranges of their application and profile, and of no other', () => {
    fc.assert(
      fc.property(itemName, itemName, (name, other) => {
        const { application, profile, key } = name;
        const isSame = other.application === application && other.profile === profile;
        expect(has(keys.values(application, profile), keys.value(name))).toBe(true);
        expect(has(keys.values(application, profile, [...key].slice(0, 1).join('')), keys.value(name))).toBe(
          true,
        );
        expect(has(keys.values(application, profile), keys.value(other))).toBe(isSame);
        expect(has(keys.records(application, profile), keys.record(name))).toBe(true);
        expect(has(keys.records(application, profile), keys.record(other))).toBe(isSame);
        const ofApplication =
          profile === 'default' ? keys.defaultsOf(application) : keys.itemsOf(application);
        expect(has(ofApplication, keys.value(name))).toBe(true);
        expect(keys.isDefault(keys.value(name))).toBe(profile === 'default');
        expect(keys.isDefault(keys.record(name))).toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });

  it('have the value in the profile default where everybody finds it', () => {
    const name = { application: 'my%app', profile: 'default', key: 'a/b' };
    expect(decoder.decode(keys.value(name))).toBe('/config/my%app/a/b');
    expect(decoder.decode(keys.record(name))).toBe(`${ROOT}item/my%25app/record/default/a/b`);
    expect(decoder.decode(keys.value({ ...name, profile: 'prod' }))).toBe(
      `${ROOT}item/my%25app/value/prod/a/b`,
    );
  });

  it.each([
    '/config/app',
    '/config/app/',
    '/config//key',
    '/config/',
    '/configs/app/key',
    '/config/app/a\nb',
    '/config/app\u0000/b',
    `/config/app/${'ä'.repeat(513)}`,
    `/config/${'ä'.repeat(129)}/a`,
    `${ROOT}item/app/record/default/`,
    `${ROOT}item/app/record/default`,
    `${ROOT}item/app/other/default/key`,
    `${ROOT}item/app/value/default/key`,
    `${ROOT}item/app/record/${'ä'.repeat(65)}/key`,
    `${ROOT}item/a%b/record/default/key`,
    `${ROOT}item/app/record/%2f%/key`,
  ])('are not %j', (key) => {
    expect(read(key)).toBeUndefined();
  });

  it('may be as long as the contract says', () => {
    const name = { application: 'ä'.repeat(128), profile: 'ä'.repeat(64), key: 'ä'.repeat(512) };
    expect(keys.readItem(keys.value(name))).toEqual({ kind: 'value', name });
  });
});

describe('the application of a key', () => {
  it('is that in whose range the key lies, also where it is the key of no item', () => {
    expect(applicationOf('/config/app/')).toBe('app');
    expect(applicationOf('/config/app/a\nb')).toBe('app');
    expect(applicationOf(`${ROOT}item/a%2Fb/anything`)).toBe('a/b');
    expect(keys.applicationOf(Buffer.concat([Buffer.from('/config/app/'), Buffer.of(0xff)]))).toBe('app');
  });

  it('is none where it lies in the range of none', () => {
    for (const key of ['/config/app', '/config/', '/config//a', `${ROOT}item/app`, `${ROOT}item/a%b/x`, '/x'])
      expect(applicationOf(key), key).toBe('');
    expect(keys.applicationOf(Buffer.concat([Buffer.from('/config/a'), Buffer.of(0xff, 0x2f)]))).toBe('');
  });

  it('agrees with the ranges of applications, of whatever key there can be', () => {
    const key = fc
      .tuple(
        fc.constantFrom('/config/', `${ROOT}item/`),
        fc.array(fc.oneof(character, fc.constant('/')), { maxLength: 8 }),
        fc.uint8Array({ maxLength: 2 }),
      )
      .map(([start, rest, end]) => Buffer.concat([Buffer.from(start + rest.join('')), end]));
    fc.assert(
      fc.property(key, slashless, (bytes, name) => {
        const named = keys.applicationOf(bytes);
        for (const application of [named, name].filter((each) => each !== '')) {
          const isIn = has(keys.defaultsOf(application), bytes) || has(keys.itemsOf(application), bytes);
          expect(isIn).toBe(application === named);
        }
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('the keys of the history', () => {
  it('are read as what they were made of, in the order of versions', () => {
    const numbers = {
      version: fc.integer({ min: 1, max: 2 ** 40 }),
      second: fc.integer({ min: 0, max: 2 ** 33 }),
      externalRevision: fc.oneof(fc.constant(0n), fc.bigInt({ min: 1n, max: 10n ** 18n })),
    };
    fc.assert(
      fc.property(itemName, fc.record(numbers), fc.record(numbers), (name, a, b) => {
        const [one, other] = [keys.entry({ ...name, ...a }), keys.entry({ ...name, ...b })];
        expect(keys.readEntry(one)).toEqual({ ...name, ...a });
        for (const range of [
          keys.history,
          keys.historyOf(name.application),
          keys.historyOf(name.application, name.profile),
          keys.versionsOf(name),
          keys.version(name, a.version),
        ])
          expect(has(range, one)).toBe(true);
        expect(has(keys.version(name, a.version), other)).toBe(a.version === b.version);
        if (a.version < b.version) expect(Buffer.compare(one, other)).toBeLessThan(0);
      }),
      { numRuns: 1_000 },
    );
  });

  it.each([
    '',
    '1.2',
    `${'0'.repeat(18)}1.${'0'.repeat(10)}`,
    `${'0'.repeat(18)}1.${'0'.repeat(11)}/a`,
    `${'0'.repeat(18)}1.${'0'.repeat(11)}.1`,
    `${'0'.repeat(18)}1.${'0'.repeat(11)}.${'0'.repeat(19)}.1`,
  ])('do not end with %j', (end) => {
    const key = `${ROOT}history/app/default/key/${end}`;
    expect(keys.readEntry(encoder.encode(key))).toBeUndefined();
  });
});

describe('the keys of schemas', () => {
  it('are read as what they hold for', () => {
    const target = fc.record({ kind: fc.constantFrom('key' as const, 'pattern' as const), text: text(10) });
    fc.assert(
      fc.property(slashless, target, (application, wanted) => {
        const key = keys.schema(application, wanted);
        expect(keys.readSchema(key)).toEqual(wanted);
        expect(has(keys.schemasOf(application), key)).toBe(true);
      }),
    );
  });
});

function entriesOf(name: ItemName): readonly Uint8Array[] {
  return [1, 2].map((version) => keys.entry({ ...name, version, second: 1, externalRevision: 0n }));
}
