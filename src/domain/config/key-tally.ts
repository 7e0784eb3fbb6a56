// How many keys there are and when the last of them was written: two numbers that the store can be asked for too. Where both
// agree, so does everything: a key that was written has a later revision, and one that was deleted is missing in the number.

import { keyId } from '../key-range.ts';
import type { KeyValue } from '../store.ts';

/** Counts the keys of a range. */
export class KeyTally {
  readonly #revisions = new Map<string, bigint>();
  /** Undefined: it is to be worked out. */
  #lastChange: bigint | undefined = 0n;

  get size(): number {
    return this.#revisions.size;
  }

  /** The latest revision at which one of those that are there was written; 0n: there are none. */
  get lastChange(): bigint {
    if (this.#lastChange === undefined) {
      let last = 0n;
      for (const revision of this.#revisions.values()) if (revision > last) last = revision;
      this.#lastChange = last;
    }
    return this.#lastChange;
  }

  /** `kv` undefined: the key is gone. */
  set(key: Uint8Array, kv: KeyValue | undefined): void {
    const id = keyId(key);
    const before = this.#revisions.get(id);
    if (kv === undefined) {
      this.#revisions.delete(id);
      if (before === this.#lastChange) this.#lastChange = undefined;
      return;
    }
    this.#revisions.set(id, kv.modRevision);
    if (this.#lastChange !== undefined && kv.modRevision > this.#lastChange)
      this.#lastChange = kv.modRevision;
  }
}
