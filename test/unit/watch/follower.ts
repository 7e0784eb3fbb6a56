// A subscriber as a test drives it: reads a watch, fast or only so much as it is let, and comes back when it ends.

import { DomainError } from '../../../src/domain/errors.ts';
import { createView, type ViewOptions } from '../../../src/domain/watch/view.ts';
import type { Watch, WatchMessage, WatchQuery } from '../../../src/domain/watch/watch.ts';
import type { FakeStore } from './fake-store.ts';
import { Witness } from './witness.ts';

/** What a follower asks for. */
export interface FollowerOptions {
  readonly view: ViewOptions;
  readonly start: WatchQuery['start'];
  readonly includeSnapshot: boolean;
  readonly isCoalescing: boolean;
  readonly checkpointIntervalMs: number;
}

/**
 * States: following → (its watch ended, by itself or by {@link disconnect}) away → following again …; left.
 * A message that is wrong ends it: see `mistake`.
 */
export class Follower {
  readonly options: FollowerOptions;
  readonly witness: Witness;
  readonly messages: WatchMessage[] = [];
  /** Why each of its watches ended. */
  readonly ends: DomainError[] = [];
  mistake: unknown;
  #start: WatchQuery['start'];
  #controller = new AbortController();
  #allowance = 0;
  #allowed: PromiseWithResolvers<void> | undefined;
  #watching: Promise<void> | undefined;

  constructor(store: FakeStore, options: FollowerOptions) {
    this.options = options;
    this.#start = options.start;
    this.witness = new Witness(store, options.view, options.isCoalescing);
  }

  get isAway(): boolean {
    return this.#watching === undefined;
  }

  /** Lets it take so many more messages. */
  allow(count: number): void {
    this.#allowance += count;
    this.#allowed?.resolve();
  }

  /** Lets it take no more for the time being. */
  stall(): void {
    this.#allowance = 0;
  }

  /** Begins, or comes back with the last resume token, where it is away. */
  connect(watch: Watch): void {
    if (this.mistake !== undefined) return;
    this.#watching ??= this.#follow(watch).then(() => {
      this.#watching = undefined;
    });
  }

  /** Ends its watch as a client does that goes away. */
  async disconnect(): Promise<void> {
    this.#controller.abort();
    this.#allowed?.resolve();
    await this.#watching;
  }

  async #follow(watch: Watch): Promise<void> {
    this.#controller = new AbortController();
    const { view, includeSnapshot, isCoalescing, checkpointIntervalMs } = this.options;
    const query = {
      view: createView(view),
      start: this.#start,
      includeSnapshot,
      isKeysOnly: view.keysOnly === true,
      isCoalescing,
      checkpointIntervalMs,
    };
    this.witness.interrupt();
    const stream = watch(query, this.#controller);
    try {
      for (;;) {
        while (this.#allowance <= 0 && !this.#controller.signal.aborted) {
          this.#allowed = Promise.withResolvers();
          await this.#allowed.promise;
        }
        if (this.#controller.signal.aborted) break;
        this.#allowance -= 1;
        this.#take((await stream.next()).value);
      }
    } catch (error) {
      if (!this.#controller.signal.aborted) this.#end(error);
    } finally {
      await stream.return(undefined as never);
    }
  }

  #take(message: WatchMessage): void {
    this.messages.push(message);
    this.witness.take(message);
    const { kind, revision } = message;
    const isPartial = kind === 'snapshot' || (kind === 'resync' && message.changes === undefined);
    this.#start = { kind: 'resume', revision, isPartial };
  }

  #end(error: unknown): void {
    if (!(error instanceof DomainError)) {
      this.mistake = error;
      return;
    }
    this.ends.push(error);
    const revision = BigInt(error.metadata['revision'] ?? 0n);
    switch (error.reason) {
      case 'WATCH_TOO_SLOW':
        this.witness.settleResync();
        this.#start = { kind: 'resume', revision, isPartial: false };
        break;
      case 'REVISION_COMPACTED':
        // It asked for a revision by its number, that is gone.
        if (this.#start.kind === 'revision') this.#start = { kind: 'now' };
        else this.mistake = error;
        break;
      case 'REVISION_IN_FUTURE':
        this.mistake = error;
    }
  }
}
