// All items in memory, kept up to date by two watches: one of the values in the profile `default`, one of everything else.
//
// What is asked of it is answered as of its own revision, or, after a look at the store, as of now.

import type { Clock } from '../clock.ts';
import type { KeySpan } from '../key-range.ts';
import { type Freshness, revisionInFuture } from '../reading/fresh-read.ts';
import { Bell } from '../session/bell.ts';
import type { AtRevision, KeyValueStore, OperationOptions, OperationResult, TxnResult } from '../store.ts';
import { compareTexts } from '../text-order.ts';
import { type FollowedChange, Follower } from '../watch/follower.ts';
import { Gathering } from '../watch/gathering.ts';
import type { Watch } from '../watch/watch.ts';
import { ApplicationMemory } from './application-memory.ts';
import type { ConfigItem, ItemName, ItemState, ValueChange } from './config-item.ts';
import type { ConfigKeys } from './config-keys.ts';
import { ItemMap } from './item-map.ts';

/** What it needs. */
export interface ConfigMemoryDeps {
  readonly store: KeyValueStore;
  readonly watch: Watch;
  readonly clock: Clock;
  readonly keys: ConfigKeys;
}

/** An application in numbers. */
export interface ApplicationSummary {
  readonly name: string;
  readonly itemCount: number;
  /** In order. */
  readonly profiles: readonly string[];
}

/** What is read for many is not given up with one of them; the store bounds its time. */
const SHARED = { signal: new AbortController().signal };
const NONE: ReadonlyMap<string, ConfigItem> = new Map();

/** Follows until it is disposed. */
export class ConfigMemory implements Disposable {
  readonly #deps: ConfigMemoryDeps;
  readonly #unrecorded: (name: ItemName) => void;
  readonly #applications = new Map<string, ApplicationMemory>();
  readonly #bells = new Set<Bell>();
  /** By application; of all: by none. */
  readonly #reads = new Gathering<AtRevision<TxnResult>>();
  readonly #defaults: Follower;
  readonly #items: Follower;
  readonly #touched = new Set<string>();
  /** Where something may be held back. */
  readonly #holding = new Set<ApplicationMemory>();
  #isWhole = false;

  /** @param unrecorded is told of items that another etcd client has changed, or seems to have. */
  constructor(deps: ConfigMemoryDeps, unrecorded: (name: ItemName) => void) {
    this.#deps = deps;
    this.#unrecorded = unrecorded;
    const follow = (range: KeySpan): Follower =>
      new Follower(deps, range, {
        changed: (change) => this.#take(change),
        settled: () => this.#settle(),
      });
    this.#defaults = follow(deps.keys.defaults);
    this.#items = follow(deps.keys.items);
  }

  /** Begins to follow. Idempotent. */
  follow(): void {
    this.#defaults.follow();
    this.#items.follow();
  }

  /** What is shown is true at it, or later. */
  get revision(): bigint {
    let least = min(this.#defaults.revision, this.#items.revision);
    for (const memory of this.#holding) {
      const { heldRevision } = memory;
      if (heldRevision === undefined) this.#holding.delete(memory);
      else least = min(least, heldRevision - 1n);
    }
    return least;
  }

  /** The items of a profile, by key, in no order. */
  items(application: string, profile: string): ReadonlyMap<string, ConfigItem> {
    return this.#applications.get(application)?.items(profile) ?? NONE;
  }

  /** The items of a profile as they are now: the same map for as long as nothing changes. */
  itemMap(application: string, profile: string): ItemMap {
    return this.#applications.get(application)?.itemMap(profile) ?? ItemMap.EMPTY;
  }

  /** The latest revision at which an item that is there, or what is known of one, was changed. */
  lastChange(application: string): bigint {
    return this.#applications.get(application)?.lastChange ?? 0n;
  }

  /** The profiles in which an application has items, in order. */
  profiles(application: string): readonly string[] {
    return this.#applications.get(application)?.profiles() ?? [];
  }

  /** The names of all applications that are known, of those too whose items are gone. */
  names(): readonly string[] {
    return [...this.#applications.keys()].sort(compareTexts);
  }

  /** The applications that have items, in the order of their names. */
  applications(): readonly ApplicationSummary[] {
    return this.names().flatMap((name) => {
      const profiles = this.profiles(name);
      const itemCount = profiles.reduce((count, profile) => count + this.items(name, profile).size, 0);
      return itemCount === 0 ? [] : [{ name, itemCount, profiles }];
    });
  }

  /** The keys of an item as they are known. */
  state(name: ItemName): ItemState {
    return (
      this.#applications.get(name.application)?.state(name) ?? { name, value: undefined, record: undefined }
    );
  }

  /** The keys of all items of a profile, of those too that are gone. */
  states(application: string, profile: string): readonly ItemState[] {
    return this.#applications.get(application)?.states(profile) ?? [];
  }

  /** How an item's value came to be as it is, since it was recorded. */
  trail(name: ItemName): readonly ValueChange[] {
    return this.#applications.get(name.application)?.trail(name) ?? [];
  }

  /** Answers as fresh as asked. Rejects with REVISION_IN_FUTURE, and as the store does. */
  async fresh<T>(
    application: string | undefined,
    answer: () => T,
    { serializable, minRevision }: Freshness,
    options: OperationOptions,
  ): Promise<AtRevision<{ readonly value: T }>> {
    await this.#whole(options);
    const { revision } = this;
    if (serializable && revision >= minRevision) return { value: answer(), revision };
    const newest = await this.exactly(application, answer, options);
    if (newest.revision < minRevision) throw revisionInFuture(minRevision, newest.revision);
    return newest;
  }

  /**
   * Answers at a moment at which what is known, of an application or of all, is what the store holds at the revision that is
   * returned, no more and no less.
   */
  async exactly<T>(
    application: string | undefined,
    answer: () => T,
    options: OperationOptions,
  ): Promise<AtRevision<{ readonly value: T }>> {
    await this.#whole(options);
    const { store, keys } = this.#deps;
    const spans =
      application === undefined
        ? [keys.defaults, keys.items]
        : [keys.defaultsOf(application), keys.itemsOf(application)];
    const success = spans.map(
      (range) => ({ kind: 'read', range, view: 'keys', order: 'newest', limit: 1 }) as const,
    );
    const bell = new Bell();
    this.#bells.add(bell);
    try {
      for (;;) {
        const { results, revision } = await this.#reads.join(application ?? '', options, () =>
          store.txn({ kind: 'txn', compares: [], success, failure: [] }, SHARED),
        );
        for (;;) {
          if (this.#isAt(application, results)) return { value: answer(), revision };
          // It may be past that already: the store is asked again.
          if (max(this.#defaults.revision, this.#items.revision) > revision) break;
          await bell.heard(options);
        }
      }
    } finally {
      this.#bells.delete(bell);
    }
  }

  /** Resolves when this knows of an item at least what a read of its keys has found. */
  async caughtUp(
    { name, value, revision }: ItemState & { readonly revision: bigint },
    options: OperationOptions,
  ): Promise<void> {
    await this.#whole(options);
    const { keys } = this.#deps;
    const follower = keys.isDefault(keys.value(name)) ? this.#defaults : this.#items;
    const bell = new Bell();
    this.#bells.add(bell);
    try {
      while (follower.revision < revision && this.state(name).value?.modRevision !== value?.modRevision)
        await bell.heard(options);
    } finally {
      this.#bells.delete(bell);
    }
  }

  [Symbol.dispose](): void {
    this.#defaults[Symbol.dispose]();
    this.#items[Symbol.dispose]();
  }

  async #whole(options: OperationOptions): Promise<void> {
    await Promise.all([this.#defaults.whole(options), this.#items.whole(options)]);
  }

  #isAt(application: string | undefined, [values, records]: readonly OperationResult[]): boolean {
    const applications =
      application === undefined
        ? [...this.#applications.values()]
        : [this.#applications.get(application)].filter((each) => each !== undefined);
    if (applications.some(({ heldRevision }) => heldRevision !== undefined)) return false;
    return (
      isTally(
        applications.map((each) => each.values),
        values,
      ) &&
      isTally(
        applications.map((each) => each.records),
        records,
      )
    );
  }

  #take({ key, kv, revision }: FollowedChange): void {
    const { keys } = this.#deps;
    const read = keys.readItem(key);
    const application = read?.name.application ?? keys.applicationOf(key);
    const memory = this.#memoryOf(application);
    this.#touched.add(application);
    if (read?.kind === 'record') memory.setRecord(read.name, kv);
    else if (read !== undefined) memory.setValue(read.name, kv, kv?.modRevision ?? revision);
    const isDefault = keys.isDefault(key);
    (isDefault ? memory.values : memory.records).set(key, kv);
  }

  #settle(): void {
    const isFirst = !this.#isWhole;
    if (isFirst && !(this.#defaults.isWhole && this.#items.isWhole)) return;
    this.#isWhole = true;
    const revision = min(this.#defaults.revision, this.#items.revision);
    for (const name of this.#touched) {
      const memory = this.#applications.get(name);
      if (memory === undefined) continue;
      memory.settle(revision, isFirst);
      if (memory.isEmpty) this.#applications.delete(name);
      else if (memory.heldRevision !== undefined) this.#holding.add(memory);
    }
    this.#touched.clear();
    for (const bell of this.#bells) bell.ring();
  }

  #memoryOf(application: string): ApplicationMemory {
    const known = this.#applications.get(application);
    if (known !== undefined) return known;
    const { clock } = this.#deps;
    const memory = new ApplicationMemory({
      clock,
      unrecorded: (name) => {
        this.#unrecorded(name);
        for (const bell of this.#bells) bell.ring();
      },
    });
    this.#applications.set(application, memory);
    return memory;
  }
}

function isTally(
  tallies: readonly { readonly size: number; readonly lastChange: bigint }[],
  result: OperationResult | undefined,
): boolean {
  if (result?.kind !== 'read') return false;
  const size = tallies.reduce((sum, tally) => sum + tally.size, 0);
  const lastChange = tallies.reduce((last, tally) => max(last, tally.lastChange), 0n);
  return BigInt(size) === result.count && lastChange === (result.kvs[0]?.modRevision ?? 0n);
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
