// Bounding the history: of each application so many versions are kept, for so long; the newest of each item always is, but that
// of an item that was deleted goes too when it is old.

import type { Clock } from '../clock.ts';
import { isAbsent, writtenAt } from '../conditions.ts';
import { singleKey } from '../key-range.ts';
import { persistently } from '../persistently.ts';
import { type ListCursor, list } from '../reading/list.ts';
import type { KeyValue, KeyValueStore, OperationOptions } from '../store.ts';
import { type ItemName, itemId } from './config-item.ts';
import type { ConfigKeys, EntryName } from './config-keys.ts';
import { readState } from './recorder.ts';

/** How much is kept. */
export interface RetentionBounds {
  /** Versions of one application. */
  readonly maxCount: number;
  readonly maxAgeMs: number;
}

/** What it needs. */
export interface RetentionDeps {
  readonly store: KeyValueStore;
  readonly clock: Clock;
  readonly keys: ConfigKeys;
  readonly random: () => number;
  /** All applications that are known. */
  readonly applications: () => readonly string[];
}

interface Entry {
  readonly kv: KeyValue;
  readonly name: EntryName;
}

/** How often age is looked at; replicas do so at different times. */
const INTERVAL_MS = 3_600_000;
/** Between two looks at one application that is written much. */
const PAUSE_MS = 200;
const PAGE_SIZE = 1_000;
const DELETES = 100;

/** Drops old versions until it is disposed. */
export class Retention implements Disposable {
  readonly #deps: RetentionDeps;
  readonly #bounds: RetentionBounds;
  readonly #abort = new AbortController();
  /** How many versions this gateway has written of each application since it looked. */
  readonly #written = new Map<string, number>();
  readonly #busy = new Set<string>();
  #cancel = () => {};

  constructor(deps: RetentionDeps, bounds: RetentionBounds) {
    this.#deps = deps;
    this.#bounds = bounds;
    this.#arm();
  }

  /** Versions of an application were written. Between two looks at it, a tenth of what is kept may come on top. */
  wrote(application: string, count: number): void {
    const written = (this.#written.get(application) ?? 0) + count;
    this.#written.set(application, written);
    if (written * 10 >= this.#bounds.maxCount) this.#look(application);
  }

  /** Drops what is too much, or too old, of an application. Rejects as the store does. */
  async sweep(application: string, options: OperationOptions): Promise<void> {
    const { store, clock } = this.#deps;
    this.#written.delete(application);
    const entries = await this.#list(application, options);
    const newest = new Map(entries.map(({ name }) => [itemId(name), name.version]));
    const oldestSecond = (clock.wallMs() - this.#bounds.maxAgeMs) / 1_000;
    const spare = entries
      .filter(({ name }) => newest.get(itemId(name)) !== name.version)
      .sort((a, b) => Number(a.kv.createRevision - b.kv.createRevision));
    const surplus = entries.length - this.#bounds.maxCount;
    const dropped = spare.filter(({ name }, i) => i < surplus || name.second < oldestSecond);
    for (let i = 0; i < dropped.length; i += DELETES) {
      const success = dropped
        .slice(i, i + DELETES)
        .map(({ kv }) => ({ kind: 'delete', range: singleKey(kv.key) }) as const);
      await store.txn({ kind: 'txn', compares: [], success, failure: [] }, options);
    }
    const old = entries.filter(({ name }) => newest.get(itemId(name)) === name.version);
    for (const { name } of old) if (name.second < oldestSecond) await this.#forget(name, options);
  }

  [Symbol.dispose](): void {
    this.#abort.abort(new Error('the retention was disposed'));
    this.#cancel();
  }

  #arm(): void {
    const { clock, random } = this.#deps;
    this.#cancel = clock.after(INTERVAL_MS * (0.5 + random()), () => {
      for (const application of this.#deps.applications()) this.#look(application);
      this.#arm();
    });
  }

  #look(application: string): void {
    if (this.#busy.has(application) || this.#abort.signal.aborted) return;
    this.#busy.add(application);
    this.#deps.clock.after(PAUSE_MS, () => {
      this.#busy.delete(application);
      if (this.#abort.signal.aborted) return;
      void persistently(this.#deps.clock, () => this.sweep(application, this.#abort), this.#abort)
        // The store refuses it for good: it is tried again with the next look.
        .catch(() => {});
    });
  }

  /** All versions of an application, by item, the oldest of each first. */
  async #list(application: string, options: OperationOptions): Promise<readonly Entry[]> {
    const { store, keys } = this.#deps;
    const query = { range: keys.historyOf(application), view: 'keys', order: 'ascending' } as const;
    const entries: Entry[] = [];
    for (let cursor: ListCursor | undefined; ; ) {
      const freshness = { revision: 0n, serializable: false, minRevision: 0n, pageSize: PAGE_SIZE };
      const page = await list(store, { ...query, ...freshness, cursor }, options);
      for (const kv of page.kvs) {
        const name = keys.readEntry(kv.key);
        if (name !== undefined) entries.push({ kv, name });
      }
      if (page.next === undefined) return entries;
      cursor = page.next;
    }
  }

  /** Forgets an item that was deleted, with the last that is kept of it, unless it is there again. */
  async #forget(name: EntryName, options: OperationOptions): Promise<void> {
    const { store, keys } = this.#deps;
    const item: ItemName = { application: name.application, profile: name.profile, key: name.key };
    const { record } = await readState(store, keys, item, options);
    if (record === undefined || !record.says.isDeleted) return;
    const compares = [writtenAt(keys.record(item), record.modRevision), isAbsent(keys.value(item))];
    const success = [singleKey(keys.record(item)), keys.versionsOf(item)].map(
      (range) => ({ kind: 'delete', range }) as const,
    );
    await store.txn({ kind: 'txn', compares, success, failure: [] }, options);
  }
}
