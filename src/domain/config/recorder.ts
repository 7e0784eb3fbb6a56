// Records what other etcd clients do to values: each change becomes a version, by an unknown author.
//
// Every gateway does so, from its start on. The record is compared in the transaction that writes it, so that each change is
// recorded once, in order. A gateway that was down finds the last change on its return; what came in between is known only where
// one gateway has seen it.

import type { Clock } from '../clock.ts';
import { writtenAt } from '../conditions.ts';
import { singleKey } from '../key-range.ts';
import { persistently } from '../persistently.ts';
import type { KeyValue, KeyValueStore, Operation, OperationOptions } from '../store.ts';
import type { ValueChange } from './application-memory.ts';
import {
  type ItemName,
  type ItemState,
  isKeptSecret,
  isRecorded,
  itemId,
  recordedRevision,
} from './config-item.ts';
import type { ConfigKeys } from './config-keys.ts';
import type { Documents } from './document.ts';
import type { Vault } from './vault.ts';
import { entryValue, readRecord, recordValue, type VersionRecord } from './version-record.ts';

/** What it needs. */
export interface RecorderDeps {
  readonly store: KeyValueStore;
  readonly clock: Clock;
  readonly keys: ConfigKeys;
  readonly documents: Documents;
  readonly vault: Vault;
  /** What this gateway knows of an item. */
  readonly state: (name: ItemName) => ItemState;
  /** How an item's value came to be as it is, as far as this gateway has seen. */
  readonly trail: (name: ItemName) => readonly ValueChange[];
  /** Versions of an application were written. */
  readonly wrote: (application: string, count: number) => void;
}

/** Above it, a transaction would be larger than etcd takes; what is older is not recorded. */
const MAX_RECORDED_BYTES = 1_000_000;
const MAX_RECORDED_COUNT = 100;
const MAX_AT_ONCE = 4;
const decoder = new TextDecoder('utf-8', { fatal: true });

/** Records until it is disposed. */
export class Recorder implements Disposable {
  readonly #deps: RecorderDeps;
  readonly #abort = new AbortController();
  /** Items to look at, by their ids. */
  readonly #queue = new Map<string, ItemName>();
  #running = 0;

  constructor(deps: RecorderDeps) {
    this.#deps = deps;
  }

  /** Records an item in the background, tried again for as long as the store does not answer. */
  noticed(name: ItemName): void {
    this.#queue.set(itemId(name), name);
    if (this.#running < MAX_AT_ONCE) void this.#run();
  }

  /** Records what has not been of an item, if anything has not. Rejects as the store does. */
  async record(name: ItemName, options: OperationOptions): Promise<void> {
    const { store, keys } = this.#deps;
    for (;;) {
      const state = await readState(store, keys, name, options);
      const changes = this.#unrecorded(state);
      if (changes.length === 0) return;
      const compares = [writtenAt(keys.record(name), state.record?.modRevision ?? 0n)];
      const success = this.#operations(state, changes);
      const { succeeded } = await store.txn({ kind: 'txn', compares, success, failure: [] }, options);
      if (succeeded) return this.#deps.wrote(name.application, changes.length);
      // Another gateway was first, perhaps with less than what is known here.
    }
  }

  [Symbol.dispose](): void {
    this.#abort.abort(new Error('the recorder was disposed'));
  }

  async #run(): Promise<void> {
    const { clock, state } = this.#deps;
    this.#running++;
    for (const [id, name] of this.#queue) {
      this.#queue.delete(id);
      // Of a change that was only slow to come, both halves may be here by now.
      if (isRecorded(state(name)) || this.#abort.signal.aborted) continue;
      await persistently(clock, () => this.record(name, this.#abort), this.#abort)
        // The store refuses it for good, as for want of space: it is noticed again with the next change, or the next write.
        .catch(() => {});
    }
    this.#running--;
  }

  /** What happened to a value after what its record tells of, in order. */
  #unrecorded(state: ItemState & { readonly revision: bigint }): readonly ValueChange[] {
    const { name, value, record, revision } = state;
    const told = record === undefined ? 0n : recordedRevision(record);
    const now = value?.modRevision ?? 0n;
    const seen = this.#deps
      .trail(name)
      .filter(
        (change) => change.revision > told && change.revision <= (value === undefined ? revision : now),
      );
    const last = seen.at(-1)?.kv?.modRevision ?? 0n;
    const isSeen = value === undefined ? seen.length > 0 && last === 0n : last === now;
    const wasThere = record !== undefined && !record.says.isDeleted;
    const changes = [...seen];
    if (!isSeen && (value === undefined ? wasThere || seen.length > 0 : now > told))
      changes.push({ kv: value, revision: value?.modRevision ?? revision });
    return withinBounds(changes);
  }

  #operations({ name, record }: ItemState, changes: readonly ValueChange[]): readonly Operation[] {
    const { clock, keys, documents, vault } = this.#deps;
    const isSecret = isKeptSecret(record);
    const contentType = record === undefined || record.says.isDeleted ? 'text' : record.says.contentType;
    const operations: Operation[] = [];
    let last: VersionRecord | undefined = record?.says;
    for (const { kv, revision } of changes) {
      const isKept = kv !== undefined && documents.parse(contentType, textOf(kv.value)).kind === 'data';
      const says: VersionRecord = {
        version: (last?.version ?? 0) + 1,
        contentType: isKept ? contentType : 'text',
        author: '',
        comment: '',
        updateWallMs: clock.wallMs(),
        isSecret: isSecret && kv !== undefined,
        isDeleted: kv === undefined,
        isExternal: true,
        rollbackOf: 0,
        valueRevision: revision,
        revision: 0n,
      };
      last = says;
      const key = keys.entry({
        ...name,
        version: says.version,
        second: Math.floor(says.updateWallMs / 1_000),
      });
      const isPlain = says.isSecret && kv !== undefined && !vault.isEncrypted(kv.value);
      const value = kv === undefined ? new Uint8Array() : vault.store(name, kv.value, isPlain);
      operations.push({ kind: 'put', key, value: entryValue({ record: says, value }) });
    }
    if (last !== undefined)
      operations.push({ kind: 'put', key: keys.record(name), value: recordValue(last) });
    return operations;
  }
}

/** Reads the keys of an item, at one revision. */
export async function readState(
  store: KeyValueStore,
  keys: ConfigKeys,
  name: ItemName,
  options: OperationOptions,
): Promise<ItemState & { readonly revision: bigint }> {
  const success = [keys.value(name), keys.record(name)].map(
    (key) => ({ kind: 'read', range: singleKey(key) }) as const,
  );
  const { results, revision } = await store.txn({ kind: 'txn', compares: [], success, failure: [] }, options);
  const [value, record] = results.map((result) => (result.kind === 'read' ? result.kvs[0] : undefined));
  return { ...stateOf(name, value, record), revision };
}

/** Returns what the two keys of an item say. */
export function stateOf(
  name: ItemName,
  value: KeyValue | undefined,
  record: KeyValue | undefined,
): ItemState {
  const says = record && readRecord(record.value);
  return { name, value, record: record && says && { modRevision: record.modRevision, says } };
}

/** The last of them. */
function withinBounds(changes: readonly ValueChange[]): readonly ValueChange[] {
  const kept: ValueChange[] = [];
  let bytes = 0;
  for (const change of [...changes].reverse()) {
    bytes += change.kv?.value.length ?? 0;
    if (kept.length > 0 && (bytes > MAX_RECORDED_BYTES || kept.length === MAX_RECORDED_COUNT)) break;
    kept.unshift(change);
  }
  return kept;
}

function textOf(value: Uint8Array): string {
  try {
    return decoder.decode(value);
  } catch {
    // What is not UTF-8 is no document.
    return '\0';
  }
}
