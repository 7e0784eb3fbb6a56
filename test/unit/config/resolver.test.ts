import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ItemMap } from '../../../src/domain/config/item-map.ts';
import { createResolver, resolve } from '../../../src/domain/config/resolve.ts';
import { someItem } from './some-item.ts';

function layer(profile: string, values: Readonly<Record<string, string>>): ItemMap {
  return ItemMap.of(Object.entries(values).map(([key, value]) => [key, someItem(key, value, { profile })]));
}

describe('a resolver', () => {
  it('returns what it has worked out for as long as the layers are the same', () => {
    const resolver = createResolver();
    const [base, prod] = [layer('default', { port: '80' }), layer('prod', { port: '81' })];
    expect(resolver([base, prod])).toBe(resolver([base, prod]));
    expect(resolver([base])).toBe(resolver([base]));
  });

  it('tells layers apart that are equal in part, in number or but for their order', () => {
    const resolver = createResolver();
    const layers = [
      layer('default', { a: '1', b: '1' }),
      layer('prod', { a: '2' }),
      layer('prod-eu', { a: '3', b: '3' }),
      ItemMap.EMPTY,
    ];
    const asked = fc.array(fc.array(fc.constantFrom(...layers), { maxLength: 4 }), { maxLength: 60 });
    fc.assert(
      fc.property(asked, (queries) => {
        for (const query of queries) expect(resolver(query)).toEqual(resolve(query));
      }),
    );
  });

  it('works it out anew where a layer has changed', () => {
    const resolver = createResolver();
    const [base, prod] = [layer('default', { port: '80' }), layer('prod', { port: '81' })];
    resolver([base, prod]);
    const changed = prod.with([['port', undefined]]);
    expect(resolver([base, changed]).map(({ item }) => item.profile)).toEqual(['default']);
    const item = someItem('port', '82', { version: 2 });
    expect(resolver([base.with([['port', item]]), changed])).toEqual([{ item, hidden: [] }]);
  });
});
