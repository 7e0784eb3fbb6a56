// The versions of items, as the history keeps them.

import { DomainError } from '../errors.ts';
import { type ListCursor, list } from '../reading/list.ts';
import type { AtRevision, KeyValue, KeyValueStore, OperationOptions } from '../store.ts';
import type { ItemName } from './config-item.ts';
import type { ConfigKeys, EntryName } from './config-keys.ts';
import type { ContentType } from './document.ts';
import { type HistoryEntry, readEntry } from './version-record.ts';

/** One version of an item. */
export interface ItemVersion {
  readonly name: ItemName;
  readonly version: number;
  /** As it is stored: encrypted, where it is secret. Empty, where it is a deletion. */
  readonly value: Uint8Array;
  readonly contentType: ContentType;
  readonly author: string;
  readonly comment: string;
  readonly updateWallMs: number;
  readonly isSecret: boolean;
  readonly isDeleted: boolean;
  readonly isExternal: boolean;
  /** 0: it is no rollback. */
  readonly rollbackOf: number;
  /** Of the change. */
  readonly revision: bigint;
}

/** What it needs. */
export interface HistoryDeps {
  readonly store: KeyValueStore;
  readonly keys: ConfigKeys;
}

/** Reads one page of the versions of an item, the newest first. Rejects as {@link list} does. */
export async function listVersions(
  { store, keys }: HistoryDeps,
  name: ItemName,
  page: { readonly pageSize: number; readonly cursor: ListCursor | undefined },
  options: OperationOptions,
): Promise<AtRevision<{ readonly versions: readonly ItemVersion[]; readonly next: ListCursor | undefined }>> {
  const query = { range: keys.versionsOf(name), view: 'full', order: 'descending', ...page } as const;
  const freshness = { revision: 0n, serializable: false, minRevision: 0n };
  const { kvs, next, revision } = await list(store, { ...query, ...freshness }, options);
  return { versions: kvs.flatMap((kv) => versionIn(keys, kv) ?? []), next, revision };
}

/** Reads one version of an item. Rejects with CONFIG_VERSION_NOT_FOUND. */
export async function readVersion(
  { store, keys }: HistoryDeps,
  name: ItemName,
  version: number,
  options: OperationOptions,
): Promise<AtRevision<{ readonly version: ItemVersion }>> {
  const range = keys.version(name, version);
  const { kvs, revision } = await store.read({ kind: 'read', range, limit: 1 }, options);
  const found = kvs[0] && versionIn(keys, kvs[0]);
  if (found === undefined) throw versionNotFound(name, version);
  return { version: found, revision };
}

/** Reads the newest version of an item. Rejects with CONFIG_VERSION_NOT_FOUND. */
export async function readNewestVersion(
  { store, keys }: HistoryDeps,
  name: ItemName,
  options: OperationOptions,
): Promise<AtRevision<{ readonly version: ItemVersion }>> {
  const operation = { kind: 'read', range: keys.versionsOf(name), order: 'descending', limit: 1 } as const;
  const { kvs, revision } = await store.read(operation, options);
  const found = kvs[0] && versionIn(keys, kvs[0]);
  if (found === undefined) throw versionNotFound(name, undefined);
  return { version: found, revision };
}

/** Returns the version that a key of the history holds; undefined where it holds none. */
export function versionIn(keys: ConfigKeys, kv: KeyValue): ItemVersion | undefined {
  const name = keys.readEntry(kv.key);
  const entry = readEntry(kv.value);
  return name && entry && versionOf(name, entry, kv.createRevision);
}

/** Returns the CONFIG_VERSION_NOT_FOUND error of a version that is not kept, or of an item that has none. */
export function versionNotFound(
  { application, profile, key }: ItemName,
  version: number | undefined,
): DomainError {
  const what = version === undefined ? 'No version' : `Version ${version}`;
  return new DomainError(
    'CONFIG_VERSION_NOT_FOUND',
    `${what} of "${key}" of "${application}" is kept; History has those that are`,
    { application, profile, key, ...(version !== undefined && { version: String(version) }) },
  );
}

function versionOf(
  { application, profile, key, version }: EntryName,
  { record, value }: HistoryEntry,
  createRevision: bigint,
): ItemVersion {
  const { valueRevision, revision, ...rest } = record;
  return {
    ...rest,
    name: { application, profile, key },
    version,
    value,
    revision: revision || valueRevision || createRevision,
  };
}
