// Which keys a range holds, without their values: what makes it possible to say what changed when the changes themselves are lost.

import { DomainError } from '../errors.ts';
import { type KeySpan, keyAfter, keyId } from '../key-range.ts';
import type { KeyValue, KeyValueStore, OperationOptions } from '../store.ts';
import { type Change, goneKey, isPut } from './change.ts';

const PAGE = 1_000;
/** How many keys are read at once, in one transaction. */
const BATCH = 100;

/** What is known of a key. */
interface Known {
  readonly key: Uint8Array;
  /** 0n: it was deleted while the index was being loaded. */
  readonly modRevision: bigint;
}

/**
 * The keys of a range at the position of its channel.
 *
 * States: loading (changes are noted beside what is read), whole, or given up: the range holds more than `maxKeys`, or could not be
 * read. Only a whole index tells differences.
 */
export class KeyIndex {
  readonly #range: KeySpan;
  readonly #maxKeys: number;
  readonly #keys = new Map<string, Known>();
  #state: 'loading' | 'whole' | 'givenUp' = 'loading';

  constructor(range: KeySpan, maxKeys: number) {
    this.#range = range;
    this.#maxKeys = maxKeys;
  }

  get isWhole(): boolean {
    return this.#state === 'whole';
  }

  /** Reads the keys as they were at `revision`; changes after it must be applied from now on, at once. */
  async load(store: KeyValueStore, revision: bigint, options: OperationOptions): Promise<void> {
    try {
      if (revision > 0n) {
        for await (const kv of keysAt(store, this.#range, revision, options)) {
          const id = keyId(kv.key);
          if (!this.#keys.has(id)) this.#keys.set(id, { key: kv.key, modRevision: kv.modRevision });
          if (this.#keys.size > this.#maxKeys) return this.#giveUp();
        }
      }
    } catch {
      // Without an index, a subscriber that loses changes is sent a snapshot in place of the difference.
      return this.#giveUp();
    }
    // Changes that came meanwhile may have been too many.
    if (this.#state !== 'loading') return;
    for (const [id, { modRevision }] of this.#keys) if (modRevision === 0n) this.#keys.delete(id);
    this.#state = 'whole';
  }

  /** Follows changes. */
  apply(changes: readonly Change[]): void {
    if (this.#state === 'givenUp') return;
    for (const change of changes) {
      const { key, modRevision } = change.kv;
      if (isPut(change)) this.#keys.set(keyId(key), { key: Uint8Array.from(key), modRevision });
      else if (this.#state === 'loading') this.#keys.set(keyId(key), { key, modRevision: 0n });
      else this.#keys.delete(keyId(key));
    }
    if (this.#keys.size > this.#maxKeys) this.#giveUp();
  }

  /** Returns what changed between the index and the store at `revision`, which the index follows to. It must be whole. */
  async differenceTo(
    store: KeyValueStore,
    revision: bigint,
    options: OperationOptions,
  ): Promise<readonly Change[]> {
    const gone = new Map(this.#keys);
    const changed: { readonly key: Uint8Array; readonly isNew: boolean }[] = [];
    for await (const { key, modRevision } of keysAt(store, this.#range, revision, options)) {
      const id = keyId(key);
      const known = gone.get(id);
      gone.delete(id);
      if (known?.modRevision !== modRevision) changed.push({ key, isNew: known === undefined });
    }
    const changes: Change[] = [...gone.values()].map(({ key }) => ({
      type: 'deleted',
      kv: goneKey(key, revision),
      previous: undefined,
    }));
    for (let i = 0; i < changed.length; i += BATCH) {
      const part = changed.slice(i, i + BATCH);
      const keys = part.map(({ key }) => key);
      const kvs = await valuesAt(store, keys, revision, options);
      for (const [j, kv] of kvs.entries()) {
        changes.push({ type: part[j]?.isNew ? 'created' : 'updated', kv, previous: undefined });
      }
    }
    this.apply(changes);
    return changes;
  }

  #giveUp(): void {
    this.#state = 'givenUp';
    this.#keys.clear();
  }
}

async function* keysAt(
  store: KeyValueStore,
  range: KeySpan,
  revision: bigint,
  options: OperationOptions,
): AsyncGenerator<KeyValue> {
  let rest: KeySpan | undefined = range;
  while (rest !== undefined) {
    const page = await store.read(
      { kind: 'read', range: rest, view: 'keys', limit: PAGE, revision },
      options,
    );
    yield* page.kvs;
    const last = page.kvs.at(-1);
    rest =
      page.more && last !== undefined
        ? { kind: 'range', start: keyAfter(last.key), end: range.end }
        : undefined;
  }
}

async function valuesAt(
  store: KeyValueStore,
  keys: readonly Uint8Array[],
  revision: bigint,
  options: OperationOptions,
): Promise<readonly KeyValue[]> {
  const success = keys.map((key) => ({ kind: 'read', range: { kind: 'key', key }, revision }) as const);
  try {
    const { results } = await store.txn({ kind: 'txn', compares: [], success, failure: [] }, options);
    return results.flatMap((result) => (result.kind === 'read' ? result.kvs : []));
  } catch (error) {
    const isTooLarge = error instanceof DomainError && error.reason === 'RESPONSE_TOO_LARGE';
    if (!isTooLarge || keys.length === 1) throw error;
    const half = keys.length >>> 1;
    const kvs = await valuesAt(store, keys.slice(0, half), revision, options);
    return [...kvs, ...(await valuesAt(store, keys.slice(half), revision, options))];
  }
}
