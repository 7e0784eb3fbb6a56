// What stands under one service, as the directory knows it.

import type { KeyValue } from '../store.ts';
import { type Instance, type InvalidEntry, isInstance } from './instance.ts';

/** What stands under a service. */
export interface Listing {
  /** In the order of their ids. */
  readonly instances: readonly Instance[];
  readonly invalid: readonly InvalidEntry[];
}

/** One key under a service. */
export interface Entry {
  readonly kv: KeyValue;
  readonly service: string;
  readonly read: Instance | InvalidEntry;
}

/** The entries of one service, by their keys' ids. What is worked out of them is made when it is asked for. */
export class ServiceEntries {
  readonly #entries = new Map<string, Entry>();
  #instanceCount = 0;
  #listing: Listing | undefined;
  #lastChange: bigint | undefined;

  /** How many there are, instances and others. */
  get size(): number {
    return this.#entries.size;
  }

  get instanceCount(): number {
    return this.#instanceCount;
  }

  /** `entry` undefined: it is gone. */
  set(id: string, entry: Entry | undefined): void {
    this.#instanceCount += instancesIn(entry) - instancesIn(this.#entries.get(id));
    if (entry === undefined) this.#entries.delete(id);
    else this.#entries.set(id, entry);
    this.#listing = undefined;
    this.#lastChange = undefined;
  }

  /** The latest revision at which one of them was written. */
  get lastChange(): bigint {
    if (this.#lastChange === undefined) {
      let last = 0n;
      for (const { kv } of this.#entries.values()) if (kv.modRevision > last) last = kv.modRevision;
      this.#lastChange = last;
    }
    return this.#lastChange;
  }

  get listing(): Listing {
    if (this.#listing !== undefined) return this.#listing;
    const instances: Instance[] = [];
    const invalid: InvalidEntry[] = [];
    for (const { read } of this.#entries.values()) {
      if (isInstance(read)) instances.push(read);
      else invalid.push(read);
    }
    instances.sort((a, b) => (a.instanceId < b.instanceId ? -1 : 1));
    this.#listing = { instances, invalid };
    return this.#listing;
  }
}

function instancesIn(entry: Entry | undefined): number {
  return entry !== undefined && isInstance(entry.read) ? 1 : 0;
}
