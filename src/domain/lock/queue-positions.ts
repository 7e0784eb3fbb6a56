// How many stand before those who wait. Nobody who waits watches the whole queue, but all who wait for a lock at this gateway can look
// at it together now and then.

import type { Clock } from '../clock.ts';
import type { AtRevision, KeyValueStore } from '../store.ts';
import { queueRead } from './lock-queue.ts';

/** What positions need. */
export interface QueuePositionsDeps {
  readonly store: KeyValueStore;
  readonly clock: Clock;
}

/** A queue is read no more often than this. */
const MAX_AGE_MS = 500;

/** The tokens of all who are in a queue, in the order in which they came. */
type Queue = AtRevision<{ readonly tokens: readonly bigint[] }>;

/** The positions of all who wait for locks at one gateway. */
export class QueuePositions {
  readonly #deps: QueuePositionsDeps;
  readonly #queues = new Map<string, Promise<Queue>>();

  constructor(deps: QueuePositionsDeps) {
    this.#deps = deps;
  }

  /**
   * Returns how many came before a token and are there, holders included, as of a moment ago: the revision may be one before the
   * token's own, and then says nothing. Rejects as the store does.
   */
  async of(name: string, token: bigint): Promise<AtRevision<{ readonly position: number }>> {
    const { tokens, revision } = await this.#queueOf(name);
    return { position: countBelow(tokens, token), revision };
  }

  #queueOf(name: string): Promise<Queue> {
    const known = this.#queues.get(name);
    if (known !== undefined) return known;
    const queue = this.#read(name);
    this.#queues.set(name, queue);
    this.#deps.clock.after(MAX_AGE_MS, () => this.#queues.delete(name));
    return queue;
  }

  async #read(name: string): Promise<Queue> {
    const read = { ...queueRead(name), serializable: true };
    // It is read for many, and not given up with one of them; the store bounds its time.
    const { kvs, revision } = await this.#deps.store.read(read, new AbortController());
    return { tokens: kvs.map(({ createRevision }) => createRevision), revision };
  }
}

/** How many of the numbers, which ascend, are below another. */
function countBelow(numbers: readonly bigint[], bound: bigint): number {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((numbers[middle] ?? bound) < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}
