// What is known of one version of an item, as it is stored: JSON in a key beside the value; in the history, JSON in the first
// line and the value behind it, so that people can read both with any etcd client.

import { storedFields, storedRevision, storedText, storedTime } from '../stored-fields.ts';
import type { ContentType } from './document.ts';

/** What is known of a version. */
export interface VersionRecord {
  /** From 1. */
  readonly version: number;
  readonly contentType: ContentType;
  readonly author: string;
  readonly comment: string;
  /** Milliseconds since 1970; of a change that another etcd client made, when it was noticed. */
  readonly updateWallMs: number;
  readonly isSecret: boolean;
  readonly isDeleted: boolean;
  /** Whether another etcd client made the change. */
  readonly isExternal: boolean;
  /** The version whose content was brought back; 0: none. */
  readonly rollbackOf: number;
  /** The revision at which the value was written that this tells of; 0n: that of this record. */
  readonly valueRevision: bigint;
  /** The revision of the change, where the value was encrypted again since; 0n: that at which the value was written. */
  readonly revision: bigint;
}

const CONTENT_TYPES: readonly ContentType[] = [
  'text',
  'json',
  'yaml',
  'toml',
  'properties',
  'number',
  'boolean',
];
const NEWLINE = 0x0a;
const encoder = new TextEncoder();

/** Returns the value of a record's key. What says nothing is left out. */
export function recordValue(record: VersionRecord): Uint8Array {
  const { version, contentType, author, comment, updateWallMs, rollbackOf, valueRevision, revision } = record;
  return encoder.encode(
    JSON.stringify({
      version,
      contentType,
      ...(author !== '' && { author }),
      ...(comment !== '' && { comment }),
      updateTime: new Date(updateWallMs).toISOString(),
      ...(record.isSecret && { secret: true }),
      ...(record.isDeleted && { deleted: true }),
      ...(record.isExternal && { external: true }),
      ...(rollbackOf !== 0 && { rollbackOf }),
      ...(valueRevision !== 0n && { valueRevision: String(valueRevision) }),
      ...(revision !== 0n && { revision: String(revision) }),
    }),
  );
}

/** Returns what a record's key says; undefined where somebody wrote something else there. */
export function readRecord(value: Uint8Array): VersionRecord | undefined {
  const fields = new Map<string, unknown>(Object.entries(storedFields(value)));
  const version = countIn(fields.get('version'));
  if (version === 0) return undefined;
  return {
    version,
    contentType: contentTypeIn(fields.get('contentType')),
    author: storedText(fields.get('author')),
    comment: storedText(fields.get('comment')),
    updateWallMs: storedTime(fields.get('updateTime')),
    isSecret: fields.get('secret') === true,
    isDeleted: fields.get('deleted') === true,
    isExternal: fields.get('external') === true,
    rollbackOf: countIn(fields.get('rollbackOf')),
    valueRevision: storedRevision(fields.get('valueRevision')),
    revision: storedRevision(fields.get('revision')),
  };
}

/** One version, as the history holds it. */
export interface HistoryEntry {
  readonly record: VersionRecord;
  /** As it is stored: encrypted, where it is secret. Empty, where the version is a deletion. */
  readonly value: Uint8Array;
}

/** Returns the value of a key of the history. */
export function entryValue({ record, value }: HistoryEntry): Uint8Array {
  const head = recordValue(record);
  const joined = new Uint8Array(head.length + 1 + value.length);
  joined.set(head);
  joined[head.length] = NEWLINE;
  joined.set(value, head.length + 1);
  return joined;
}

/** Returns what a key of the history says; undefined where somebody wrote something else there. */
export function readEntry(stored: Uint8Array): HistoryEntry | undefined {
  const end = stored.indexOf(NEWLINE);
  const record = end < 0 ? undefined : readRecord(stored.subarray(0, end));
  return record && { record, value: stored.subarray(end + 1) };
}

/** Returns a stored member as a content type; text where it is none. */
export function contentTypeIn(member: unknown): ContentType {
  return CONTENT_TYPES.find((contentType) => contentType === member) ?? 'text';
}

function countIn(field: unknown): number {
  return typeof field === 'number' && Number.isSafeInteger(field) && field > 0 ? field : 0;
}
