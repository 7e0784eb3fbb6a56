// Layers: profiles that lie over one another.

import { type ConfigItem, DEFAULT_PROFILE } from './config-item.ts';

/** A key, and what it is in the end. */
export interface ResolvedItem {
  readonly item: ConfigItem;
  /** The items of lower layers, the nearest first. */
  readonly hidden: readonly ConfigItem[];
}

/** Returns the layers that a list of profiles means, the base first: `default` is always it. */
export function layersOf(profiles: readonly string[]): readonly string[] {
  return [DEFAULT_PROFILE, ...profiles.filter((profile) => profile !== DEFAULT_PROFILE)];
}

/** Lays layers, the base first, over one another; the result is in the order of the keys. */
export function resolve(layers: readonly ReadonlyMap<string, ConfigItem>[]): readonly ResolvedItem[] {
  const keys = new Set(layers.flatMap((layer) => [...layer.keys()]));
  return [...keys].sort().flatMap((key) => resolveKey(layers, key) ?? []);
}

/** Returns what one key is in the end; undefined: no layer has it. */
export function resolveKey(
  layers: readonly ReadonlyMap<string, ConfigItem>[],
  key: string,
): ResolvedItem | undefined {
  const [item, ...hidden] = layers.toReversed().flatMap((layer) => layer.get(key) ?? []);
  return item && { item, hidden };
}
