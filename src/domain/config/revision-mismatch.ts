// The error of one who would overwrite what another has changed meanwhile.

import { DomainError } from '../errors.ts';
import { type ItemState, isRecorded, recordedRevision } from './config-item.ts';

/** Returns the revision of the last change of an item, its deletion included. */
export function changeRevision(state: ItemState): bigint {
  const { value, record } = state;
  if (record !== undefined && isRecorded(state)) return record.says.revision || recordedRevision(record);
  return value?.modRevision ?? record?.modRevision ?? 0n;
}

/** Returns the REVISION_MISMATCH error of a change that expects an item as it is not; it says who was first. */
export function revisionMismatch(state: ItemState, expectedRevision: bigint): DomainError {
  const { application, profile, key } = state.name;
  const says = state.record?.says;
  const actual = state.value === undefined ? 0n : changeRevision(state);
  const version = String(says?.version ?? 0);
  const by = says === undefined || says.author === '' ? '' : ` by "${says.author}"`;
  const what =
    actual === 0n && says === undefined
      ? 'does not exist'
      : actual === 0n
        ? `was deleted${by} (version ${version})`
        : `was last changed at revision ${actual}${by} (version ${version})`;
  return new DomainError(
    'REVISION_MISMATCH',
    `Item "${key}" of "${application}" ${what}, expected ${expectedRevision}; nothing was written. Read it again`,
    {
      application,
      profile,
      key,
      author: says?.author ?? '',
      version,
      expected_revision: String(expectedRevision),
      actual_revision: String(actual),
    },
  );
}
