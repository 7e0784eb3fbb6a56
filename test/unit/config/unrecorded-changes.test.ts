import { describe, expect, it } from 'vitest';
import type { ItemState, RecordKey, ValueChange } from '../../../src/domain/config/config-item.ts';
import { changesAfter, firstOf, unrecordedChanges } from '../../../src/domain/config/unrecorded-changes.ts';
import { keyWrittenAt, someRecord } from './some-item.ts';

const name = { application: 'app', profile: 'default', key: 'k' };

const put = (revision: bigint): ValueChange => ({ kv: keyWrittenAt(revision), revision });
const gone = (revision: bigint): ValueChange => ({ kv: undefined, revision });
const recordOf = (modRevision: bigint, isDeleted = false): RecordKey => ({
  modRevision,
  says: someRecord({ isDeleted }),
});
/** As a read at revision 100 finds it. */
const stateOf = (
  value: bigint | undefined,
  record?: RecordKey,
): ItemState & { readonly revision: bigint } => ({
  name,
  value: value === undefined ? undefined : keyWrittenAt(value),
  record,
  revision: 100n,
});
const revisionsOf = (changes: readonly ValueChange[]) =>
  changes.map(({ kv, revision }) => (kv === undefined ? `-${revision}` : String(revision)));

describe('the changes that a record does not tell of', () => {
  it('are those after its revision', () => {
    const trail = [put(5n), put(10n), put(11n), gone(12n), put(13n)];
    expect(revisionsOf(changesAfter(recordOf(10n), trail))).toEqual(['11', '-12', '13']);
    expect(revisionsOf(changesAfter(undefined, trail))).toEqual(['5', '10', '11', '-12', '13']);
    const external = { modRevision: 20n, says: someRecord({ valueRevision: 11n }) };
    expect(revisionsOf(changesAfter(external, trail))).toEqual(['-12', '13']);
  });

  it('have no deletion of what is not there', () => {
    expect(changesAfter(undefined, [gone(5n)])).toEqual([]);
    expect(changesAfter(recordOf(10n, true), [gone(11n)])).toEqual([]);
    expect(revisionsOf(changesAfter(recordOf(10n), [gone(11n), gone(12n), put(13n)]))).toEqual(['-11', '13']);
  });
});

describe('what is to be recorded of an item', () => {
  it('is what was seen, up to how it was read', () => {
    const trail = [put(11n), put(12n), put(13n)];
    expect(revisionsOf(unrecordedChanges(stateOf(12n, recordOf(10n)), trail))).toEqual(['11', '12']);
    const transient = [put(11n), gone(12n)];
    expect(revisionsOf(unrecordedChanges(stateOf(undefined), transient))).toEqual(['11', '-12']);
  });

  it('is also how it was read, where that was not seen', () => {
    expect(revisionsOf(unrecordedChanges(stateOf(12n, recordOf(10n)), []))).toEqual(['12']);
    expect(revisionsOf(unrecordedChanges(stateOf(12n, recordOf(10n)), [put(11n)]))).toEqual(['11', '12']);
    expect(revisionsOf(unrecordedChanges(stateOf(undefined, recordOf(10n)), [put(11n)]))).toEqual([
      '11',
      '-100',
    ]);
    expect(revisionsOf(unrecordedChanges(stateOf(undefined, recordOf(10n)), []))).toEqual(['-100']);
  });

  it('is nothing where the record tells of it', () => {
    expect(unrecordedChanges(stateOf(10n, recordOf(10n)), [put(9n), put(10n)])).toEqual([]);
    expect(unrecordedChanges(stateOf(undefined, recordOf(10n, true)), [gone(10n)])).toEqual([]);
    expect(unrecordedChanges(stateOf(undefined), [])).toEqual([]);
  });

  it('is cut where one transaction cannot hold it, the first first', () => {
    const many = Array.from({ length: 250 }, (_, i) => put(BigInt(i + 1)));
    expect(firstOf(many)).toEqual(many.slice(0, 100));
    expect(firstOf(many.slice(0, 100))).toHaveLength(100);
    const large = [1n, 2n, 3n].map((revision) => ({
      kv: keyWrittenAt(revision, 'k', 'x'.repeat(600_000)),
      revision,
    }));
    expect(firstOf(large)).toEqual(large.slice(0, 1));
    expect(firstOf([])).toEqual([]);
  });
});
