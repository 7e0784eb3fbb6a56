import { describe, expect, it } from 'vitest';
import {
  type ItemState,
  isRecorded,
  itemOf,
  recordedRevision,
} from '../../../src/domain/config/config-item.ts';
import { changeRevision } from '../../../src/domain/config/revision-mismatch.ts';
import type { VersionRecord } from '../../../src/domain/config/version-record.ts';
import { keyWrittenAt, someRecord } from './some-item.ts';

const name = { application: 'app', profile: 'default', key: 'k' };
const SAID = { version: 3, author: 'ann', comment: 'why', updateWallMs: 5, contentType: 'json' } as const;

/** An item whose value was written at one revision, and its record at another; 0n: there is none. */
function stateAt(value: bigint, record: bigint, says: Partial<VersionRecord> = {}): ItemState {
  return {
    name,
    value: value === 0n ? undefined : keyWrittenAt(value),
    record: record === 0n ? undefined : { modRevision: record, says: someRecord({ ...SAID, ...says }) },
  };
}

describe('an item of which the store has', () => {
  it('neither key, is not there', () => {
    const state = stateAt(0n, 0n);
    expect(isRecorded(state)).toBe(true);
    expect(itemOf(state)).toBeUndefined();
  });

  it('both keys of one transaction, is what its record says', () => {
    const state = stateAt(9n, 9n, { isSecret: true });
    expect(isRecorded(state)).toBe(true);
    expect(itemOf(state)).toEqual({
      ...name,
      ...SAID,
      value: keyWrittenAt(9n).value,
      isSecret: true,
      revision: 9n,
    });
  });

  it('a record that tells of an earlier write by somebody else, is what it says', () => {
    const state = stateAt(9n, 12n, { valueRevision: 9n });
    expect(isRecorded(state)).toBe(true);
    expect(itemOf(state)).toMatchObject({ version: 3, revision: 9n });
  });

  it('a value that was encrypted again, has the revision of its last change', () => {
    const state = stateAt(20n, 20n, { isSecret: true, revision: 9n });
    expect(isRecorded(state)).toBe(true);
    expect(itemOf(state)).toMatchObject({ version: 3, revision: 9n });
    expect(changeRevision(state)).toBe(9n);
  });

  it('a value that another client wrote last, has the next version, and no author', () => {
    const state = stateAt(10n, 9n, { isSecret: true });
    expect(isRecorded(state)).toBe(false);
    expect(itemOf(state)).toEqual({
      ...name,
      value: keyWrittenAt(10n).value,
      contentType: 'json',
      version: 4,
      author: '',
      comment: '',
      updateWallMs: undefined,
      isSecret: true,
      revision: 10n,
    });
  });

  it('a value alone, is a text of version 1', () => {
    const state = stateAt(10n, 0n);
    expect(isRecorded(state)).toBe(false);
    expect(itemOf(state)).toMatchObject({ version: 1, contentType: 'text', isSecret: false, revision: 10n });
  });

  it('a value that came after the deletion, is a text of the next version', () => {
    const state = stateAt(10n, 9n, { isDeleted: true });
    expect(isRecorded(state)).toBe(false);
    expect(itemOf(state)).toMatchObject({ version: 4, contentType: 'text', isSecret: false, revision: 10n });
  });

  it('the record of a deletion alone, is not there', () => {
    const state = stateAt(0n, 9n, { isDeleted: true });
    expect(isRecorded(state)).toBe(true);
    expect(itemOf(state)).toBeUndefined();
  });

  it('a record without the value that it tells of, was deleted by another client', () => {
    const state = stateAt(0n, 9n);
    expect(isRecorded(state)).toBe(false);
    expect(itemOf(state)).toBeUndefined();
  });
});

describe('the last change of an item', () => {
  it('is where the value was written, and not where others noticed it', () => {
    expect(recordedRevision({ modRevision: 12n, says: someRecord({ valueRevision: 9n }) })).toBe(9n);
    expect(changeRevision(stateAt(9n, 12n, { valueRevision: 9n }))).toBe(9n);
    expect(changeRevision(stateAt(0n, 12n, { valueRevision: 9n, isDeleted: true, isExternal: true }))).toBe(
      9n,
    );
  });

  it('is what another client wrote over a value that was encrypted again', () => {
    expect(changeRevision(stateAt(30n, 20n, { isSecret: true, revision: 9n }))).toBe(30n);
  });
});
