// All keys of a range as they come and go, by one watch of the hub, which the callers' own watches share.
//
// It begins when it is first asked, with everything that is there, and goes on with what changes. Where the watch ends, for
// whatever cause, everything is read anew, and the difference is told.

import type { Clock } from '../clock.ts';
import { type KeySpan, keyId } from '../key-range.ts';
import type { KeyValue, OperationOptions } from '../store.ts';
import { type Change, isPut } from './change.ts';
import { delay } from './delay.ts';
import { createView } from './view.ts';
import type { Watch, WatchMessage } from './watch.ts';

/** One key that changed. */
export interface FollowedChange {
  readonly key: Uint8Array;
  /** Undefined: it is gone. */
  readonly kv: KeyValue | undefined;
  readonly previous: KeyValue | undefined;
  /** At which it was seen to be so. */
  readonly revision: bigint;
  /** Whether it went with its lease, or while nobody looked. */
  readonly mayHaveExpired: boolean;
}

/** Is told what changes. Its methods must neither throw nor wait. */
export interface FollowerListener {
  changed(change: FollowedChange): void;
  /** Everything that had changed at one moment was told. */
  settled(): void;
}

/** What it needs. */
export interface FollowerDeps {
  readonly watch: Watch;
  readonly clock: Clock;
}

const RETRY_MS = 500;
const CHECKPOINT_MS = 5_000;

/** Follows until it is disposed. */
export class Follower implements Disposable {
  readonly #deps: FollowerDeps;
  readonly #range: KeySpan;
  readonly #listener: FollowerListener;
  readonly #abort = new AbortController();
  readonly #kvs = new Map<string, KeyValue>();
  /** What a snapshot has told so far. */
  #incoming: Map<string, KeyValue> | undefined;
  #revision = 0n;
  #hasBegun = false;
  #isWhole = false;
  /** Settles when it is whole for the first time, or the attempt to read everything has failed. */
  #attempt = Promise.withResolvers<void>();

  constructor(deps: FollowerDeps, range: KeySpan, listener: FollowerListener) {
    this.#deps = deps;
    this.#range = range;
    this.#listener = listener;
  }

  /** Everything at or below it was told. */
  get revision(): bigint {
    return this.#revision;
  }

  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Begins to follow. Idempotent. */
  follow(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    void this.#run();
  }

  /** Resolves when it is whole. Until it is for the first time, it also rejects as the store does. */
  async whole({ signal }: OperationOptions): Promise<void> {
    this.follow();
    signal.throwIfAborted();
    if (this.#isWhole) return;
    const aborted = Promise.withResolvers<never>();
    const abort = () => aborted.reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    try {
      await Promise.race([this.#attempt.promise, aborted.promise]);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  [Symbol.dispose](): void {
    this.#abort.abort(new Error('the follower was disposed'));
  }

  async #run(): Promise<void> {
    const { watch, clock } = this.#deps;
    const query = {
      view: createView({ range: this.#range, returnPrevious: true }),
      start: { kind: 'now' },
      includeSnapshot: true,
      isKeysOnly: false,
      isCoalescing: false,
      checkpointIntervalMs: CHECKPOINT_MS,
    } as const;
    while (!this.#abort.signal.aborted) {
      try {
        this.#incoming = new Map();
        for await (const message of watch(query, this.#abort)) this.#take(message);
      } catch (error) {
        // The store cannot be reached, or the watch fell behind: everything is read anew.
        this.#fail(error);
        await delay(clock, RETRY_MS, this.#abort);
      }
    }
  }

  #take(message: WatchMessage): void {
    const { revision } = message;
    switch (message.kind) {
      case 'snapshot':
        for (const kv of message.kvs) this.#incoming?.set(keyId(kv.key), kv);
        return;
      case 'synced':
        this.#replace(this.#incoming ?? new Map(), revision);
        this.#incoming = undefined;
        this.#isWhole = true;
        this.#attempt.resolve();
        break;
      case 'checkpoint':
        break;
      case 'events':
      case 'resync':
        if (message.changes === undefined) {
          this.#incoming = new Map();
          return;
        }
        for (const change of message.changes) this.#apply(change, revision, message.kind === 'resync');
    }
    this.#revision = revision;
    this.#listener.settled();
  }

  /** `isUnseen`: it happened while nobody looked, and why something went is not known. */
  #apply({ type, kv }: Change, revision: bigint, isUnseen: boolean): void {
    if (isPut({ type })) this.#set(kv.key, kv, revision, false);
    else this.#set(kv.key, undefined, revision, isUnseen || type === 'expired');
  }

  #replace(found: ReadonlyMap<string, KeyValue>, revision: bigint): void {
    for (const [id, { key }] of [...this.#kvs]) if (!found.has(id)) this.#set(key, undefined, revision, true);
    for (const kv of found.values()) this.#set(kv.key, kv, revision, false);
  }

  /** Fails those who wait for it to be whole. */
  #fail(error: unknown): void {
    const { promise, reject } = this.#attempt;
    if (!this.#isWhole) this.#attempt = Promise.withResolvers();
    promise.catch(() => {});
    reject(error);
  }

  #set(key: Uint8Array, kv: KeyValue | undefined, revision: bigint, mayHaveExpired: boolean): void {
    const id = keyId(key);
    const previous = this.#kvs.get(id);
    if (previous?.modRevision === kv?.modRevision) return;
    if (kv === undefined) this.#kvs.delete(id);
    else this.#kvs.set(id, kv);
    this.#listener.changed({ key, kv, previous, revision, mayHaveExpired });
  }
}
