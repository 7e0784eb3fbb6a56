// Layers: profiles that lie over one another.

import { compareTexts } from '../text-order.ts';
import { type ConfigItem, DEFAULT_PROFILE } from './config-item.ts';
import { ItemMap } from './item-map.ts';

/** Of one base: as many as an application has sets of profiles that are often asked for. */
const MAX_KEPT = 16;

/** A key, and what it is in the end. */
export interface ResolvedItem {
  readonly item: ConfigItem;
  /** The items of lower layers, the nearest first. */
  readonly hidden: readonly ConfigItem[];
}

/** The items of a layer, by key. */
export type LayerItems = Pick<ItemMap, 'get' | 'keys'>;

/** Returns the layers that a list of profiles means, the base first: `default` is always it. */
export function layersOf(profiles: readonly string[]): readonly string[] {
  return [DEFAULT_PROFILE, ...profiles.filter((profile) => profile !== DEFAULT_PROFILE)];
}

/** Lays layers, the base first, over one another; the result is in the order of the keys. */
export function resolve(layers: readonly LayerItems[]): readonly ResolvedItem[] {
  const keys = new Set(layers.flatMap((layer) => [...layer.keys()]));
  return [...keys].sort(compareTexts).flatMap((key) => resolveKey(layers, key) ?? []);
}

/** Lays layers over one another, as {@link resolve} does. */
export type Resolver = (layers: readonly ItemMap[]) => readonly ResolvedItem[];

/** Creates one that keeps what came out last for as long as the base is as it is. */
export function createResolver(): Resolver {
  const kept = new WeakMap<ItemMap, readonly Resolution[]>();
  return (layers) => {
    const [base = ItemMap.EMPTY] = layers;
    const known = kept.get(base) ?? [];
    const found = known.find((each) => isSame(each.layers, layers));
    if (found !== undefined) return found.items;
    const items = resolve(layers);
    kept.set(base, [{ layers, items }, ...known.slice(0, MAX_KEPT - 1)]);
    return items;
  };
}

interface Resolution {
  readonly layers: readonly ItemMap[];
  readonly items: readonly ResolvedItem[];
}

function isSame(some: readonly ItemMap[], others: readonly ItemMap[]): boolean {
  return some.length === others.length && some.every((layer, i) => layer === others[i]);
}

/** Returns what one key is in the end; undefined: no layer has it. */
export function resolveKey(
  layers: readonly Pick<LayerItems, 'get'>[],
  key: string,
): ResolvedItem | undefined {
  const [item, ...hidden] = layers.toReversed().flatMap((layer) => layer.get(key) ?? []);
  return item && { item, hidden };
}
