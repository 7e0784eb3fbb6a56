// A copy of all keys of a range in memory, kept up to date by one watch of the store.
//
// It begins with a listing at one revision and goes on with the changes after it. Where changes were compacted away, or the watch
// fails, it lists again and tells the difference, so that its listener sees every key come and go, though not every value that
// a key had in between.

import type { Clock } from '../clock.ts';
import { type KeySpan, keyId } from '../key-range.ts';
import { type ListCursor, list } from '../reading/list.ts';
import type { KeyValue, KeyValueStore, StoreEvent, Upstream, WatchSink, WatchSource } from '../store.ts';
import { delay } from './delay.ts';

/** One key that changed. */
export interface MirrorChange {
  readonly key: Uint8Array;
  /** The revision at which it was seen to be so. */
  readonly revision: bigint;
  /** Undefined: the key is gone. */
  readonly kv: KeyValue | undefined;
  readonly previous: KeyValue | undefined;
}

/** Is told of changes. Its methods must neither throw nor wait. */
export interface MirrorListener {
  changed(change: MirrorChange): void;
  /** The copy is whole, and true at `revision`: the first time, and after each time that it was listed again. */
  synced?(revision: bigint): void;
}

/** What a mirror needs. */
export interface MirrorDeps {
  readonly store: KeyValueStore;
  readonly source: WatchSource;
  readonly clock: Clock;
}

interface Listing {
  readonly kvs: readonly KeyValue[];
  readonly revision: bigint;
}

const PAGE_SIZE = 1_000;
const RETRY_MS = 500;

/** Mirrors a range until it is disposed. */
export class Mirror implements Disposable {
  readonly #deps: MirrorDeps;
  readonly #range: KeySpan;
  readonly #listener: MirrorListener;
  readonly #abort = new AbortController();
  readonly #kvs = new Map<string, KeyValue>();
  #upstream: Upstream | undefined;
  #revision = 0n;

  constructor(deps: MirrorDeps, range: KeySpan, listener: MirrorListener) {
    this.#deps = deps;
    this.#range = range;
    this.#listener = listener;
    void this.#run();
  }

  /** What it is true at; 0n until it is whole for the first time. */
  get revision(): bigint {
    return this.#revision;
  }

  get(key: Uint8Array): KeyValue | undefined {
    return this.#kvs.get(keyId(key));
  }

  [Symbol.dispose](): void {
    this.#abort.abort(new Error('the mirror was disposed'));
    this.#upstream?.close();
  }

  /** Lists, tried again for as long as the store does not answer, and opens the watch. */
  async #run(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      let listing: Listing;
      try {
        listing = await this.#list();
      } catch {
        // The store cannot be reached, or what is read was compacted away meanwhile.
        await delay(this.#deps.clock, RETRY_MS, { signal });
        continue;
      }
      if (signal.aborted) return;
      this.#replace(listing);
      this.#watch(listing.revision + 1n);
      return;
    }
  }

  async #list(): Promise<Listing> {
    const kvs: KeyValue[] = [];
    const query = { range: this.#range, view: 'full', order: 'ascending', pageSize: PAGE_SIZE } as const;
    const freshness = { revision: 0n, serializable: false, minRevision: 0n };
    for (let cursor: ListCursor | undefined; ; ) {
      const page = await list(this.#deps.store, { ...query, ...freshness, cursor }, this.#abort);
      kvs.push(...page.kvs);
      if (page.next === undefined) return { kvs, revision: page.revision };
      cursor = page.next;
    }
  }

  #watch(fromRevision: bigint): void {
    const again = () => {
      this.#upstream = undefined;
      void this.#run();
    };
    const failed = () => {
      this.#upstream = undefined;
      void delay(this.#deps.clock, RETRY_MS, this.#abort).then(() => this.#run());
    };
    const sink: WatchSink = {
      events: (revision, events) => this.#take(revision, events),
      progress: (revision) => {
        this.#revision = revision;
      },
      compacted: again,
      failed,
    };
    this.#upstream = this.#deps.source.open({ range: this.#range, fromRevision }, sink);
  }

  #take(revision: bigint, events: readonly StoreEvent[]): void {
    this.#revision = revision;
    for (const event of events) {
      if (event.kind === 'put') this.#set(event.kv.key, event.kv, revision);
      else this.#set(event.key, undefined, revision);
    }
  }

  #replace({ kvs, revision }: Listing): void {
    this.#revision = revision;
    const found = new Set(kvs.map(({ key }) => keyId(key)));
    for (const [id, { key }] of [...this.#kvs]) if (!found.has(id)) this.#set(key, undefined, revision);
    for (const kv of kvs) {
      if (this.get(kv.key)?.modRevision !== kv.modRevision) this.#set(kv.key, kv, revision);
    }
    this.#listener.synced?.(revision);
  }

  #set(key: Uint8Array, kv: KeyValue | undefined, revision: bigint): void {
    const id = keyId(key);
    const previous = this.#kvs.get(id);
    if (kv === undefined) this.#kvs.delete(id);
    else this.#kvs.set(id, kv);
    this.#listener.changed({ key, revision, kv, previous });
  }
}
