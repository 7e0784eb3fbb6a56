// What other etcd clients did to a value after the last change that its record tells of.

import { type ItemState, type RecordKey, recordedRevision, type ValueChange } from './config-item.ts';

/** At most so much is recorded in one transaction; what is left, in the next. */
const MAX_BYTES = 1_000_000;
const MAX_COUNT = 100;

/**
 * Returns those changes of a trail that a record does not tell of.
 *
 * A deletion of what is not there is none: the revision of one that was found late is not exact, and it may have been recorded.
 */
export function changesAfter(
  record: RecordKey | undefined,
  trail: readonly ValueChange[],
): readonly ValueChange[] {
  const told = record === undefined ? 0n : recordedRevision(record);
  let isThere = record !== undefined && !record.says.isDeleted;
  return trail.filter(({ kv, revision }) => {
    if (revision <= told || (kv === undefined && !isThere)) return false;
    isThere = kv !== undefined;
    return true;
  });
}

/** Returns what is to be recorded of an item, in order: what of its trail is, and that it is as it is. */
export function unrecordedChanges(
  { value, record, revision }: ItemState & { readonly revision: bigint },
  trail: readonly ValueChange[],
): readonly ValueChange[] {
  const now = value?.modRevision ?? revision;
  const changes = changesAfter(
    record,
    trail.filter((change) => change.revision <= now),
  );
  const last = changes.at(-1);
  const isThere = last === undefined ? record?.says.isDeleted === false : last.kv !== undefined;
  const told = last?.revision ?? (record === undefined ? 0n : recordedRevision(record));
  const isMissed = value === undefined ? isThere : now > told;
  return isMissed ? [...changes, { kv: value, revision: now }] : changes;
}

/** Returns those of the first changes that one transaction can record. */
export function firstOf(changes: readonly ValueChange[]): readonly ValueChange[] {
  let bytes = 0;
  const end = changes.findIndex(({ kv }, i) => {
    bytes += kv?.value.length ?? 0;
    return i > 0 && (i === MAX_COUNT || bytes > MAX_BYTES);
  });
  return end < 0 ? changes : changes.slice(0, end);
}
