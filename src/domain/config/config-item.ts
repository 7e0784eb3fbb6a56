// An item of configuration: what stands in the store, and what follows from it.
//
// A value stands in a key of its own, as it is. What is known of it stands beside it, in a record, which is written in the same
// transaction. A value that was written after its record was written by another etcd client, and is recorded a moment later
// (recorder.ts).

import type { KeyValue } from '../store.ts';
import type { ContentType } from './document.ts';
import { readRecord, type VersionRecord } from './version-record.ts';

/** One item, by its names. */
export interface ItemName {
  readonly application: string;
  readonly profile: string;
  readonly key: string;
}

/** The profile that is meant where none is named, and the base of all others. */
export const DEFAULT_PROFILE = 'default';

/** The two keys of an item, as they were at one moment. */
export interface ItemState {
  readonly name: ItemName;
  readonly value: KeyValue | undefined;
  readonly record: RecordKey | undefined;
}

/** The key that holds a record, and what it says; where others wrote something else there, that is {@link NO_RECORD}. */
export interface RecordKey {
  readonly modRevision: bigint;
  readonly says: VersionRecord;
}

/** What became of a value. */
export interface ValueChange {
  /** Undefined: it is gone. */
  readonly kv: KeyValue | undefined;
  readonly revision: bigint;
}

/** What something says that is no record: version 0 of an item, which there never is. */
const NO_RECORD: VersionRecord = {
  version: 0,
  contentType: 'text',
  author: '',
  comment: '',
  updateWallMs: 0,
  isSecret: false,
  isDeleted: false,
  isExternal: false,
  rollbackOf: 0,
  valueRevision: 0n,
  revision: 0n,
};

/** An item that is there. */
export interface ConfigItem extends ItemName {
  /** As it is stored: encrypted, where it is secret. */
  readonly value: Uint8Array;
  readonly contentType: ContentType;
  readonly version: number;
  readonly author: string;
  readonly comment: string;
  /** Milliseconds since 1970; undefined where it is not known. */
  readonly updateWallMs: number | undefined;
  readonly isSecret: boolean;
  /** Of its last change. */
  readonly revision: bigint;
}

/** What a change did to an item. Of one that is gone, `item` says what is known of the deletion, and has no value. */
export interface ConfigChange {
  readonly type: 'created' | 'updated' | 'deleted';
  readonly item: ConfigItem;
  readonly previous: ConfigItem | undefined;
}

/** Returns a text that tells items apart: neither an application nor a profile holds a slash. */
export function itemId({ application, profile, key }: ItemName): string {
  return `${application}/${profile}/${key}`;
}

/** Returns what the key of a record says; undefined: there is none. */
export function recordKeyOf(kv: KeyValue | undefined): RecordKey | undefined {
  return kv && { modRevision: kv.modRevision, says: readRecord(kv.value) ?? NO_RECORD };
}

/** Returns the revision of the value that a record tells of; of a deletion, that of the deletion. */
export function recordedRevision({ modRevision, says }: RecordKey): bigint {
  return says.valueRevision || modRevision;
}

/** Returns whether the record tells of the value as it is. */
export function isRecorded({ value, record }: ItemState): boolean {
  if (record === undefined) return value === undefined;
  if (record.says.version === 0) return false;
  if (value === undefined) return record.says.isDeleted;
  return !record.says.isDeleted && recordedRevision(record) === value.modRevision;
}

/** Returns the item; undefined: there is none. One that is not recorded yet has the next version, and no author. */
export function itemOf(state: ItemState): ConfigItem | undefined {
  const { name, value, record } = state;
  if (value === undefined) return undefined;
  if (record !== undefined && isRecorded(state)) return recordedItem(name, record, value.value);
  return {
    ...name,
    value: value.value,
    contentType: record === undefined || record.says.isDeleted ? 'text' : record.says.contentType,
    version: (record?.says.version ?? 0) + 1,
    author: '',
    comment: '',
    updateWallMs: undefined,
    isSecret: isKeptSecret(record),
    revision: value.modRevision,
  };
}

/** Returns the item that a record and a value are; for a deletion, what is known of it. */
export function recordedItem(name: ItemName, record: RecordKey, value: Uint8Array): ConfigItem {
  const { contentType, version, author, comment, updateWallMs, isSecret, revision } = record.says;
  const changed = revision || recordedRevision(record);
  return { ...name, value, contentType, version, author, comment, updateWallMs, isSecret, revision: changed };
}

/** Whether what others write over an item is kept secret: it was before. */
export function isKeptSecret(record: Pick<RecordKey, 'says'> | undefined): boolean {
  return record?.says.isSecret === true && !record.says.isDeleted;
}
