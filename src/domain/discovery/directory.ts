// All instances in memory, kept up to date by one watch, which the callers' own watches share.
//
// It begins to follow when it is first asked. An answer from it is as old as its revision; it can be proved to be the newest by
// asking the store for two numbers.

import type { Clock } from '../clock.ts';
import { keyId } from '../key-range.ts';
import { type Freshness, freshRead } from '../reading/fresh-read.ts';
import { Bell } from '../session/bell.ts';
import type { AtRevision, KeyValue, KeyValueStore, OperationOptions } from '../store.ts';
import { type FollowedChange, Follower } from '../watch/follower.ts';
import type { Watch } from '../watch/watch.ts';
import type { DiscoveryKeys } from './discovery-keys.ts';
import { type Instance, isInstance, readInstance } from './instance.ts';
import { type Entry, type Listing, ServiceEntries } from './service-entries.ts';

/** A service in numbers. */
export interface ServiceSummary {
  readonly name: string;
  readonly instanceCount: number;
  readonly upCount: number;
}

/** Is told what changes. Its methods must neither throw nor wait. */
export interface DirectoryListener {
  /** `isExpired`: the instance went with its lease, or while nobody looked. */
  changed(
    service: string,
    before: Instance | undefined,
    after: Instance | undefined,
    isExpired: boolean,
  ): void;
  /** Everything that had changed at one moment was told. */
  settled(): void;
}

/** What it needs. */
export interface DirectoryDeps {
  readonly store: KeyValueStore;
  readonly watch: Watch;
  readonly clock: Clock;
  readonly keys: DiscoveryKeys;
}

/** Follows until it is disposed. */
export class Directory implements Disposable {
  readonly #deps: DirectoryDeps;
  readonly #follower: Follower;
  readonly #listeners = new Set<DirectoryListener>();
  /** By the key's id. */
  readonly #entries = new Map<string, Entry>();
  readonly #services = new Map<string, ServiceEntries>();

  constructor(deps: DirectoryDeps) {
    this.#deps = deps;
    this.#follower = new Follower(deps, deps.keys.all, {
      changed: (change) => this.#set(change),
      settled: () => {
        for (const listener of this.#listeners) listener.settled();
      },
    });
  }

  /** Tells from now on; the function returned stops it. */
  listen(listener: DirectoryListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Begins to follow. Idempotent. */
  follow(): void {
    this.#follower.follow();
  }

  /** Resolves when it is whole. Until it is for the first time, it also rejects as the store does. */
  whole(options: OperationOptions): Promise<void> {
    return this.#follower.whole(options);
  }

  /** What it knows of a service. */
  peek(service: string): Listing {
    return this.#services.get(service)?.listing ?? { instances: [], invalid: [] };
  }

  /** How many instances it knows of a service. */
  count(service: string): number {
    return this.#services.get(service)?.instanceCount ?? 0;
  }

  /** What it knows of an instance. */
  peekInstance(service: string, instanceId: string): Instance | undefined {
    const entry = this.#entries.get(keyId(this.#deps.keys.ofInstance(service, instanceId)));
    return entry?.read !== undefined && isInstance(entry.read) ? entry.read : undefined;
  }

  /** The names of all services that have instances, in order. */
  services(): readonly ServiceSummary[] {
    const summaries: ServiceSummary[] = [];
    for (const [name, { listing }] of this.#services) {
      const { instances } = listing;
      if (instances.length === 0) continue;
      const upCount = instances.filter(({ status }) => status === 'UP').length;
      summaries.push({ name, instanceCount: instances.length, upCount });
    }
    return summaries.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * Answers from memory, where that is as fresh as asked. For a linearizable answer the store is asked for the number of keys of the
   * service, or of all, and for their last change: where both are as they are here, so is everything, since a key that was
   * written has a later revision, and one that was deleted is missing in the number. Else what is missing is waited for.
   */
  async fresh<T>(
    service: string | undefined,
    answer: () => T,
    freshness: Freshness,
    options: OperationOptions,
  ): Promise<AtRevision<{ readonly value: T }>> {
    await this.whole(options);
    if (freshness.serializable && this.#follower.revision >= freshness.minRevision)
      return { value: answer(), revision: this.#follower.revision };
    const { store, keys } = this.#deps;
    const range = service === undefined ? keys.all : keys.ofService(service);
    const newest = await freshRead(
      (serializable) =>
        store.read({ kind: 'read', range, view: 'keys', order: 'newest', limit: 1, serializable }, options),
      freshness,
    );
    const bell = new Bell();
    const stop = this.listen({ changed() {}, settled: () => bell.ring() });
    try {
      for (;;) {
        if (this.#follower.revision >= newest.revision)
          return { value: answer(), revision: this.#follower.revision };
        if (this.#isAt(service, newest.count, newest.kvs[0]?.modRevision ?? 0n))
          return { value: answer(), revision: newest.revision };
        // The changes are on their way.
        await bell.heard(options);
      }
    } finally {
      stop();
    }
  }

  [Symbol.dispose](): void {
    this.#follower[Symbol.dispose]();
  }

  #isAt(service: string | undefined, count: bigint, lastChange: bigint): boolean {
    const services = service === undefined ? [...this.#services.values()] : [this.#services.get(service)];
    let found = 0;
    let last = 0n;
    for (const each of services) {
      if (each === undefined) continue;
      found += each.size;
      if (each.lastChange > last) last = each.lastChange;
    }
    return BigInt(found) === count && last === lastChange;
  }

  #set({ key, kv, mayHaveExpired }: FollowedChange): void {
    const id = keyId(key);
    const before = this.#entries.get(id);
    const after = kv && this.#entryOf(kv);
    if (after === undefined) this.#entries.delete(id);
    else this.#entries.set(id, after);
    const service = (after ?? before)?.service ?? '';
    this.#serviceOf(service).set(id, after);
    if (this.#services.get(service)?.size === 0) this.#services.delete(service);
    const [was, is] = [before, after].map((entry) =>
      entry !== undefined && isInstance(entry.read) ? entry.read : undefined,
    );
    if (was === undefined && is === undefined) return;
    const isExpired = mayHaveExpired && was !== undefined && was.leaseId !== 0n;
    for (const listener of this.#listeners) listener.changed(service, was, is, isExpired);
  }

  #entryOf(kv: KeyValue): Entry {
    const named = this.#deps.keys.read(kv.key);
    if (named !== undefined)
      return { kv, service: named.service, read: readInstance(named.service, named.instanceId, kv) };
    const reason = 'the key is not <service>/<instance_id>';
    return { kv, service: this.#deps.keys.serviceOf(kv.key), read: { key: kv.key, reason } };
  }

  #serviceOf(name: string): ServiceEntries {
    const known = this.#services.get(name);
    if (known !== undefined) return known;
    const service = new ServiceEntries();
    this.#services.set(name, service);
    return service;
  }
}
