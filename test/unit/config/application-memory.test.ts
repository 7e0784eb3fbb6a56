import { describe, expect, it } from 'vitest';
import { ApplicationMemory } from '../../../src/domain/config/application-memory.ts';
import type { ItemName } from '../../../src/domain/config/config-item.ts';
import { recordValue, type VersionRecord } from '../../../src/domain/config/version-record.ts';
import { FakeClock } from '../watch/fake-clock.ts';
import { keyWrittenAt, someRecord } from './some-item.ts';

const name = { application: 'app', profile: 'default', key: 'k' };
/** Longer than the other half of a change is waited for. */
const LONG_MS = 1_000;

function memoryUnderTest() {
  const clock = new FakeClock();
  const unrecorded: ItemName[] = [];
  const memory = new ApplicationMemory({ clock, unrecorded: (each) => void unrecorded.push(each) });
  return {
    clock,
    memory,
    unrecorded,
    shown: () => memory.items('default').get('k')?.revision,
    value(revision: bigint, isGone = false) {
      memory.setValue(name, isGone ? undefined : keyWrittenAt(revision), revision);
    },
    record(revision: bigint, says: Partial<VersionRecord> = {}) {
      memory.setRecord(name, { ...keyWrittenAt(revision), value: recordValue(someRecord(says)) });
    },
  };
}

describe('an item in memory', () => {
  it.each(['value', 'record'] as const)('is shown as it was while its %s alone is there', (half) => {
    const { memory, shown, unrecorded, clock, value, record } = memoryUnderTest();
    value(5n);
    record(5n);
    memory.settle(5n, true);
    expect([shown(), memory.heldRevision]).toEqual([5n, undefined]);
    const [first, second] = half === 'value' ? [value, record] : [record, value];
    first(12n);
    // The other watch is still at 9: what is shown is true up to 11 nevertheless.
    memory.settle(9n, false);
    expect([shown(), memory.heldRevision]).toEqual([5n, 12n]);
    second(12n);
    memory.settle(12n, false);
    expect([shown(), memory.heldRevision]).toEqual([12n, undefined]);
    clock.advance(LONG_MS);
    expect(unrecorded).toEqual([]);
  });

  it('is shown, and is to be recorded, where the record does not come', () => {
    const { memory, shown, unrecorded, clock, value } = memoryUnderTest();
    value(12n);
    memory.settle(12n, false);
    expect([shown(), memory.heldRevision]).toEqual([undefined, 12n]);
    clock.advance(LONG_MS);
    expect([shown(), memory.heldRevision, unrecorded]).toEqual([12n, undefined, [name]]);
    value(13n);
    value(14n);
    memory.settle(14n, false);
    expect(memory.trail(name).map(({ revision }) => revision)).toEqual([12n, 13n, 14n]);
  });

  it('is to be recorded though it came and went meanwhile, and is not forgotten before', () => {
    const { memory, shown, unrecorded, clock, value, record } = memoryUnderTest();
    value(12n);
    memory.settle(12n, false);
    value(13n, true);
    memory.settle(13n, false);
    clock.advance(LONG_MS);
    expect([shown(), unrecorded, memory.isEmpty]).toEqual([undefined, [name], false]);
    record(14n, { isDeleted: true, valueRevision: 13n });
    memory.settle(14n, false);
    expect(memory.trail(name)).toEqual([]);
    memory.setRecord(name, undefined);
    memory.settle(15n, false);
    expect(memory.isEmpty).toBe(true);
  });

  it('is to be recorded where something that is no record stands beside it', () => {
    const { memory, unrecorded, value } = memoryUnderTest();
    value(12n);
    memory.setRecord(name, keyWrittenAt(12n));
    memory.settle(12n, true);
    expect(unrecorded).toEqual([name]);
  });
});
