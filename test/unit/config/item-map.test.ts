import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ConfigItem } from '../../../src/domain/config/config-item.ts';
import { ItemMap } from '../../../src/domain/config/item-map.ts';
import { someItem } from './some-item.ts';

const KEYS = Array.from({ length: 40 }, (_, i) => `key/${i}`);

const change = fc
  .record({ key: fc.constantFrom(...KEYS), version: fc.option(fc.integer({ min: 1 }), { nil: undefined }) })
  .map(
    ({ key, version }) => [key, version === undefined ? undefined : someItem(key, '', { version })] as const,
  );

describe('a map of items', () => {
  it('holds what a map of the same changes does, and never changes itself', () => {
    fc.assert(
      fc.property(fc.array(fc.array(change, { maxLength: 6 }), { maxLength: 10 }), (steps) => {
        const expected = new Map<string, ConfigItem>();
        const seen: (readonly [ItemMap, readonly ConfigItem[]])[] = [];
        let map = ItemMap.of([]);
        for (const changes of steps) {
          map = map.with(changes);
          for (const [key, item] of changes)
            if (item === undefined) expected.delete(key);
            else expected.set(key, item);
          seen.push([map, [...expected.values()]]);
        }
        for (const [each, items] of seen) {
          expect(new Set(each.values())).toEqual(new Set(items));
          expect(new Set(each.keys())).toEqual(new Set(items.map(({ key }) => key)));
          for (const item of items) expect(each.get(item.key)).toBe(item);
        }
      }),
    );
  });

  it('is the same where nothing changes', () => {
    const map = ItemMap.of([['k', someItem('k', '1')]]);
    expect(map.with([])).toBe(map);
    expect(map.with([['k', someItem('k', '2')]])).not.toBe(map);
  });
});
