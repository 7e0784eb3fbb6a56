import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ConfigItem } from '../../../src/domain/config/config-item.ts';
import { layersOf, resolve, resolveKey } from '../../../src/domain/config/resolve.ts';
import { someItem } from './some-item.ts';

function layer(profile: string, values: Readonly<Record<string, string>>): ReadonlyMap<string, ConfigItem> {
  return new Map(Object.entries(values).map(([key, value]) => [key, someItem(key, value, { profile })]));
}

const LAYERS = [
  layer('default', { port: '80', host: 'a', log: 'info' }),
  layer('prod', { host: 'b', log: 'warn', only: 'prod' }),
  layer('prod-eu', { log: 'error' }),
];

describe('layers over one another', () => {
  it('have the base default, whether it is named or not', () => {
    expect(layersOf([])).toEqual(['default']);
    expect(layersOf(['default'])).toEqual(['default']);
    expect(layersOf(['prod', 'prod-eu'])).toEqual(['default', 'prod', 'prod-eu']);
    expect(layersOf(['default', 'prod'])).toEqual(['default', 'prod']);
  });

  it('come to the item of the last of them, with what that hides, the nearest first', () => {
    const told = resolve(LAYERS).map(({ item, hidden }) => [
      item.key,
      item.profile,
      hidden.map(({ profile }) => profile),
    ]);
    expect(told).toEqual([
      ['host', 'prod', ['default']],
      ['log', 'prod-eu', ['prod', 'default']],
      ['only', 'prod', []],
      ['port', 'default', []],
    ]);
  });

  it('say of one key what they say of all', () => {
    expect(resolveKey(LAYERS, 'log')).toEqual(resolve(LAYERS)[1]);
    expect(resolveKey(LAYERS, 'none')).toBeUndefined();
    expect(resolve([])).toEqual([]);
  });

  it('are in the order that the store has keys in, whatever these hold', () => {
    const anyKey = fc.string({
      unit: fc.constantFrom('a', 'ä', '\uffee', '\u{1f600}', '/', 'z'),
      maxLength: 4,
    });
    fc.assert(
      fc.property(fc.array(fc.dictionary(anyKey, fc.string(), { noNullPrototype: true })), (layers) => {
        const found = resolve(layers.map((values, i) => layer(String(i), values)));
        const keys = found.map(({ item }) => Buffer.from(item.key));
        expect(keys).toEqual(keys.toSorted(Buffer.compare));
        const folded = Object.assign({}, ...layers) as Record<string, string>;
        expect(found.map(({ item }) => [item.key, Buffer.from(item.value).toString()]).sort()).toEqual(
          Object.entries(folded).sort(),
        );
      }),
    );
  });
});
