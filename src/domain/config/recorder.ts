// Records what other etcd clients do to values: each change becomes a version, by an unknown author.
//
// Every gateway does so, from its start on. The record is compared in the transaction that writes it, so that each change is
// recorded once, in order. A gateway that was down finds the last change on its return; what came in between is known only where
// one gateway has seen it.
//
// The newest entry of the history says the same as the record. Where others wrote over the record, that is taken.

import type { Clock } from '../clock.ts';
import { writtenAt } from '../conditions.ts';
import { singleKey } from '../key-range.ts';
import { persistently } from '../persistently.ts';
import type { AtRevision, KeyValue, KeyValueStore, Operation, OperationOptions } from '../store.ts';
import {
  type ItemName,
  type ItemState,
  isKeptSecret,
  isRecorded,
  itemId,
  type RecordKey,
  recordedRevision,
  recordKeyOf,
  type ValueChange,
} from './config-item.ts';
import type { ConfigKeys } from './config-keys.ts';
import type { Documents } from './document.ts';
import { versionIn } from './history.ts';
import { firstOf, unrecordedChanges } from './unrecorded-changes.ts';
import type { Vault } from './vault.ts';
import { entryValue, recordValue, type VersionRecord } from './version-record.ts';

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
  /** Resolves when this gateway has seen what a read of an item has found. */
  readonly caughtUp: (state: ReadState, options: OperationOptions) => Promise<void>;
  /** Versions of an application were written. */
  readonly wrote: (application: string, count: number) => void;
}

/** The keys of an item, as they were at a revision. */
export type ReadState = AtRevision<ItemState>;

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

  /** Returns whether there is something to record of an item, as far as this gateway has seen. */
  hasUnrecorded(state: ReadState): boolean {
    return !isRecorded(state) || unrecordedChanges(state, this.#deps.trail(state.name)).length > 0;
  }

  /** Records what has not been of an item, if anything has not. Rejects as the store does. */
  async record(name: ItemName, options: OperationOptions): Promise<void> {
    const { store, keys, caughtUp, trail, wrote } = this.#deps;
    for (;;) {
      const { newest, ...state } = await this.#read(name, options);
      await caughtUp(state, options);
      const record = trusted(state, newest);
      const unrecorded = unrecordedChanges({ ...state, record }, trail(name));
      if (unrecorded.length === 0 && record === state.record) return;
      const changes = firstOf(unrecorded);
      const compares = [writtenAt(keys.record(name), state.record?.modRevision ?? 0n)];
      const success = this.#operations(name, record, changes);
      const { succeeded } = await store.txn({ kind: 'txn', compares, success, failure: [] }, options);
      // Another gateway may have been first, with less than what is known here.
      if (succeeded) wrote(name.application, changes.length);
    }
  }

  [Symbol.dispose](): void {
    this.#abort.abort(new Error('the recorder was disposed'));
  }

  async #run(): Promise<void> {
    const { clock, state, trail } = this.#deps;
    this.#running++;
    for (const [id, name] of this.#queue) {
      this.#queue.delete(id);
      // Of a change that was only slow to come, both halves may be here by now.
      const isDone = isRecorded(state(name)) && trail(name).length === 0;
      if (isDone || this.#abort.signal.aborted) continue;
      await persistently(clock, () => this.record(name, this.#abort), this.#abort)
        // The store refuses it for good, as for want of space: it is noticed again with the next change, or the next write.
        .catch(() => {});
    }
    this.#running--;
  }

  async #read(
    name: ItemName,
    options: OperationOptions,
  ): Promise<ReadState & { readonly newest: RecordKey | undefined }> {
    const { store, keys } = this.#deps;
    const reads = stateReads(keys, name);
    const entry = { kind: 'read', range: keys.versionsOf(name), order: 'descending', limit: 1 } as const;
    const { results, revision } = await store.txn(
      { kind: 'txn', compares: [], success: [...reads, entry], failure: [] },
      options,
    );
    const [value, record, found] = results.map((result) =>
      result.kind === 'read' ? result.kvs[0] : undefined,
    );
    const version = found && versionIn(keys, found);
    const newest = version && {
      modRevision: record?.modRevision ?? 0n,
      says: { ...version, valueRevision: version.revision, revision: 0n },
    };
    return { ...stateOf(name, value, record), revision, newest };
  }

  #operations(
    name: ItemName,
    record: RecordKey | undefined,
    changes: readonly ValueChange[],
  ): readonly Operation[] {
    const { clock, keys, documents, vault } = this.#deps;
    const operations: Operation[] = [];
    let last: VersionRecord | undefined = record?.says;
    for (const { kv, revision } of changes) {
      const contentType = last === undefined || last.isDeleted ? 'text' : last.contentType;
      const isKept = kv !== undefined && documents.parse(contentType, textOf(kv.value)).kind === 'data';
      const says: VersionRecord = {
        version: (last?.version ?? 0) + 1,
        contentType: isKept ? contentType : 'text',
        author: '',
        comment: '',
        updateWallMs: clock.wallMs(),
        isSecret: isKeptSecret(last && { says: last }),
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
        externalRevision: revision,
      });
      const isPlain = says.isSecret && kv !== undefined && !vault.isEncrypted(kv.value);
      const value = kv === undefined ? new Uint8Array() : vault.store(name, kv.value, isPlain);
      operations.push({ kind: 'put', key, value: entryValue({ record: says, value }) });
    }
    const key = keys.record(name);
    operations.push(
      last === undefined
        ? { kind: 'delete', range: singleKey(key) }
        : { kind: 'put', key, value: recordValue(last) },
    );
    return operations;
  }
}

/** Reads the keys of an item, at one revision. */
export async function readState(
  store: KeyValueStore,
  keys: ConfigKeys,
  name: ItemName,
  options: OperationOptions,
): Promise<ReadState> {
  const success = stateReads(keys, name);
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
  return { name, value, record: recordKeyOf(record) };
}

function stateReads(keys: ConfigKeys, name: ItemName) {
  return [keys.value(name), keys.record(name)].map(
    (key) => ({ kind: 'read', range: singleKey(key) }) as const,
  );
}

/** The record, or what the history says where others wrote over it; undefined: nothing says anything of the item. */
function trusted({ value, record }: ItemState, newest: RecordKey | undefined): RecordKey | undefined {
  if (record === undefined) return newest;
  const { version, isDeleted } = record.says;
  const told = recordedRevision(record);
  const isAhead =
    value !== undefined && (told > value.modRevision || (isDeleted && told === value.modRevision));
  const isOthers = version === 0 || isAhead || (newest !== undefined && newest.says.version !== version);
  return isOthers ? newest : record;
}

function textOf(value: Uint8Array): string {
  try {
    return decoder.decode(value);
  } catch {
    // What is not UTF-8 is no document.
    return '\0';
  }
}
