// What is known of one application.
//
// The two halves of a change, value and record, come by different watches, one after the other. Until both are there the item
// is shown as it was. Where the second does not come, another etcd client has written the value: it is shown, and is to be
// recorded.

import type { Clock } from '../clock.ts';
import type { KeyValue } from '../store.ts';
import { compareTexts } from '../text-order.ts';
import {
  type ConfigItem,
  type ItemName,
  type ItemState,
  isRecorded,
  itemId,
  itemOf,
  recordKeyOf,
  type ValueChange,
} from './config-item.ts';
import { ItemMap } from './item-map.ts';
import { KeyTally } from './key-tally.ts';
import { changesAfter } from './unrecorded-changes.ts';

/** What it needs. */
export interface ApplicationMemoryDeps {
  readonly clock: Clock;
  /** An item was changed by another etcd client, or seems to be. */
  readonly unrecorded: (name: ItemName) => void;
}

interface Entry {
  state: ItemState;
  /** How the value came to be as it is, since it was recorded; the last changes of very many. */
  trail: ValueChange[];
  /** Set while the other half of a change is waited for. */
  held: { readonly revision: bigint; readonly cancel: () => void } | undefined;
}

/** How long the other half of a change is waited for. */
const HOLD_MS = 25;
const MAX_TRAIL = 1_000;

/** Takes what the watches tell, and shows what follows from it. */
export class ApplicationMemory {
  readonly values = new KeyTally();
  readonly records = new KeyTally();
  readonly #deps: ApplicationMemoryDeps;
  readonly #entries = new Map<string, Entry>();
  readonly #touched = new Set<Entry>();
  readonly #held = new Set<Entry>();
  /** By profile and key. */
  readonly #items = new Map<string, Map<string, ConfigItem>>();
  /** By profile: what was last given out of its items, and the keys that were changed since. */
  readonly #given = new Map<string, { readonly map: ItemMap; readonly changed: Set<string> }>();

  constructor(deps: ApplicationMemoryDeps) {
    this.#deps = deps;
  }

  /** Whether nothing is there any more, and nothing that was is still to be recorded. */
  get isEmpty(): boolean {
    return this.values.size + this.records.size + this.#entries.size === 0;
  }

  /** The items of a profile as they are shown, by key, in no order. */
  items(profile: string): ReadonlyMap<string, ConfigItem> {
    return this.#items.get(profile) ?? new Map();
  }

  /** The items of a profile as they are shown now: the same map for as long as nothing changes. */
  itemMap(profile: string): ItemMap {
    const items = this.#items.get(profile);
    if (items === undefined) {
      // Of a profile that has no items nothing is kept: anybody may ask for one.
      this.#given.delete(profile);
      return ItemMap.EMPTY;
    }
    const given = this.#given.get(profile);
    if (given?.changed.size === 0) return given.map;
    const map = given?.map.with([...given.changed].map((key) => [key, items.get(key)])) ?? ItemMap.of(items);
    this.#given.set(profile, { map, changed: new Set() });
    return map;
  }

  /** The latest revision at which an item that is there, or what is known of one, was changed. */
  get lastChange(): bigint {
    const [values, records] = [this.values.lastChange, this.records.lastChange];
    return values > records ? values : records;
  }

  /** The profiles that have items, in order. */
  profiles(): readonly string[] {
    return [...this.#items.keys()].sort(compareTexts);
  }

  /** The keys of an item as they are known. */
  state(name: ItemName): ItemState {
    return this.#entries.get(itemId(name))?.state ?? { name, value: undefined, record: undefined };
  }

  /** The keys of all items of a profile, of those too that are gone. */
  states(profile: string): readonly ItemState[] {
    return [...this.#entries.values()]
      .map(({ state }) => state)
      .filter(({ name }) => name.profile === profile);
  }

  /** How an item's value came to be as it is, since it was recorded. */
  trail(name: ItemName): readonly ValueChange[] {
    return this.#entries.get(itemId(name))?.trail ?? [];
  }

  /** What is shown is true up to just before this revision; undefined: nothing is held back. */
  get heldRevision(): bigint | undefined {
    let least: bigint | undefined;
    for (const { held } of this.#held)
      if (held !== undefined && (least === undefined || held.revision < least)) least = held.revision;
    return least;
  }

  setValue(name: ItemName, kv: KeyValue | undefined, revision: bigint): void {
    const entry = this.#touch(name);
    entry.state = { ...entry.state, value: kv };
    entry.trail.push({ kv, revision });
    if (entry.trail.length > MAX_TRAIL) entry.trail.shift();
  }

  setRecord(name: ItemName, kv: KeyValue | undefined): void {
    const entry = this.#touch(name);
    entry.state = { ...entry.state, record: recordKeyOf(kv) };
  }

  /** Everything that had changed at one moment was told. `isFirst`: there is no other half on its way. */
  settle(revision: bigint, isFirst: boolean): void {
    for (const entry of this.#touched) {
      entry.trail = [...changesAfter(entry.state.record, entry.trail)];
      if (isRecorded(entry.state) && entry.trail.length === 0) this.#show(entry);
      else if (isFirst) this.#reveal(entry);
      else if (entry.held === undefined) {
        const cancel = this.#deps.clock.after(HOLD_MS, () => this.#reveal(entry));
        // Of the half that is there, whichever it is: before it, everything is as it is shown.
        const changed = entry.trail[0]?.revision ?? entry.state.record?.modRevision ?? revision;
        entry.held = { revision: changed, cancel };
        this.#held.add(entry);
      }
    }
    this.#touched.clear();
  }

  #reveal(entry: Entry): void {
    this.#show(entry);
    this.#deps.unrecorded(entry.state.name);
  }

  #show(entry: Entry): void {
    entry.held?.cancel();
    entry.held = undefined;
    this.#held.delete(entry);
    const { name } = entry.state;
    this.#given.get(name.profile)?.changed.add(name.key);
    const item = itemOf(entry.state);
    const items = this.#items.get(name.profile) ?? new Map<string, ConfigItem>();
    if (item === undefined) items.delete(name.key);
    else items.set(name.key, item);
    if (items.size === 0) this.#items.delete(name.profile);
    else this.#items.set(name.profile, items);
    if (entry.state.value === undefined && entry.state.record === undefined && entry.trail.length === 0)
      this.#entries.delete(itemId(name));
  }

  #touch(name: ItemName): Entry {
    const id = itemId(name);
    const known = this.#entries.get(id);
    const entry = known ?? {
      state: { name, value: undefined, record: undefined },
      trail: [],
      held: undefined,
    };
    if (known === undefined) this.#entries.set(id, entry);
    this.#touched.add(entry);
    return entry;
  }
}
