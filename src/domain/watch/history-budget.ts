// The memory that the histories of all channels take together.

import type { Clock } from '../clock.ts';
import type { Channel } from './channel.ts';

/**
 * Has channels evict their oldest changes when all together hold too much: in a turn of its own, so that those whom the news woke read
 * it first. So a change may be larger than all of the memory, and what comes in one turn is held beside it.
 */
export class HistoryBudget {
  readonly #clock: Clock;
  readonly #maxBytes: number;
  readonly #channels = new Set<Channel>();
  /** The channel whose history grew last. */
  #grown: Channel | undefined;
  #bytes = 0;
  #cancelEviction: (() => void) | undefined;

  constructor(clock: Clock, maxBytes: number) {
    this.#clock = clock;
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(channel: Channel): void {
    this.#channels.add(channel);
  }

  /** Lets go of a channel and all that its history holds. */
  remove(channel: Channel): void {
    this.#channels.delete(channel);
    if (this.#grown === channel) this.#grown = undefined;
    this.#resize(-channel.history.bytes);
  }

  /** Notes that a channel's history holds so many bytes more, or less. */
  sized(channel: Channel, bytes: number): void {
    if (bytes > 0) this.#grown = channel;
    this.#resize(bytes);
  }

  #resize(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#maxBytes) {
      this.#cancelEviction ??= this.#clock.after(0, () => this.#evict());
    } else {
      this.#cancelEviction?.();
      this.#cancelEviction = undefined;
    }
  }

  #evict(): void {
    while (this.#bytes > this.#maxBytes && this.#largest()?.evict());
    this.#cancelEviction = undefined;
  }

  /** The channel to take memory from: the one that grew, unless it holds less than most. */
  #largest(): Channel | undefined {
    const grown = this.#grown;
    if (grown !== undefined && grown.history.bytes * this.#channels.size >= this.#bytes) return grown;
    let largest: Channel | undefined;
    for (const channel of this.#channels) {
      if (largest === undefined || channel.history.bytes > largest.history.bytes) largest = channel;
    }
    return largest;
  }
}
