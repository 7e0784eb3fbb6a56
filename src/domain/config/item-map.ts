import type { ConfigItem } from './config-item.ts';

const BUCKET_COUNT = 256;
const NO_ITEMS: ReadonlyMap<string, ConfigItem> = new Map();
const NO_BUCKETS: readonly ReadonlyMap<string, ConfigItem>[] = Array.from(
  { length: BUCKET_COUNT },
  () => NO_ITEMS,
);

/**
 * Items by key, which never change: a change makes another map, that shares all but a small part with this one. So any number of
 * subscribers, each at its own revision, hold little more than one of them would.
 */
export class ItemMap {
  static readonly EMPTY = new ItemMap(NO_BUCKETS);
  readonly #buckets: readonly ReadonlyMap<string, ConfigItem>[];

  private constructor(buckets: readonly ReadonlyMap<string, ConfigItem>[]) {
    this.#buckets = buckets;
  }

  static of(items: Iterable<readonly [string, ConfigItem]>): ItemMap {
    return ItemMap.EMPTY.with(items);
  }

  get(key: string): ConfigItem | undefined {
    return this.#buckets[bucketOf(key)]?.get(key);
  }

  /** In no order. */
  *keys(): IterableIterator<string> {
    for (const bucket of this.#buckets) yield* bucket.keys();
  }

  /** In no order. */
  *values(): IterableIterator<ConfigItem> {
    for (const bucket of this.#buckets) yield* bucket.values();
  }

  /** Returns a map with other items under some keys; undefined: none. */
  with(changes: Iterable<readonly [string, ConfigItem | undefined]>): ItemMap {
    const changed = new Map<number, Map<string, ConfigItem>>();
    for (const [key, item] of changes) {
      const i = bucketOf(key);
      const bucket = changed.get(i) ?? new Map(this.#buckets[i]);
      changed.set(i, bucket);
      if (item === undefined) bucket.delete(key);
      else bucket.set(key, item);
    }
    if (changed.size === 0) return this;
    return new ItemMap(this.#buckets.map((bucket, i) => changed.get(i) ?? bucket));
  }
}

/** FNV-1a. */
function bucketOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 16)) & (BUCKET_COUNT - 1);
}
