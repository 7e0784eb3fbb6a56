import { describe, expect, it } from 'vitest';
import { singleKey } from '../../../src/domain/key-range.ts';
import { bytes, text } from './bytes.ts';
import { HubUnderTest, told } from './hub-under-test.ts';

describe('a change', () => {
  it('is told as created, updated, or deleted, with what the key held before', async () => {
    const { store, test } = parts();
    const reader = test.read({ returnPrevious: true });
    store.put('a', 'x');
    store.put('a', 'y');
    store.delete('a');
    await test.tellAll();
    expect(told(reader.deliveries)).toEqual([
      'events 2 created a',
      'events 3 updated a',
      'events 4 deleted a',
    ]);
    const changes = reader.deliveries.flatMap((each) => ('changes' in each ? each.changes : []));
    expect(changes.map(({ previous }) => previous && text(previous.value))).toEqual([undefined, 'x', 'y']);
    expect(changes.at(-1)?.kv).toMatchObject({ modRevision: 4n, version: 0n, createRevision: 0n });
  });

  it('is created again after a deletion', async () => {
    const { store, test } = parts();
    store.put('a', 'x');
    const reader = test.read();
    store.delete('a');
    store.put('a', 'x');
    await test.tellAll();
    expect(told(reader.deliveries)).toEqual(['events 3 deleted a', 'events 4 created a']);
  });

  it('is told apart: the end of its lease from a deletion by a call', async () => {
    const { store, test } = parts();
    const [ending, staying] = [store.grant(), store.grant()];
    store.put('a', 'x', ending);
    store.put('b', 'x', ending);
    store.put('c', 'x', staying);
    const reader = test.read();
    store.endLease(ending);
    store.delete('c');
    await test.tellAll();
    expect(told(reader.deliveries)).toEqual(['events 5 expired a expired b', 'events 6 deleted c']);
  });

  it('keeps its place while a lease is looked up', async () => {
    const { store, test } = parts();
    const lease = store.grant();
    store.put('a', 'x', lease);
    const reader = test.read();
    store.hold('lease');
    store.endLease(lease);
    store.put('b', 'x');
    store.put('c', 'x');
    await test.tellAll();
    expect(told(reader.deliveries)).toEqual([]);
    store.letGo('lease');
    await test.tellAll();
    store.put('d', 'x');
    await test.tellAll();
    expect(told(reader.deliveries)).toEqual([
      'events 3 expired a',
      'events 4 created b',
      'events 5 created c',
      'events 6 created d',
    ]);
  });

  it('is deleted where its lease cannot be looked up', async () => {
    const { store, test } = parts();
    const lease = store.grant();
    store.put('a', 'x', lease);
    const reader = test.read();
    store.endLease(lease);
    store.isFailing = true;
    await test.tellAll();
    expect(told(reader.deliveries)).toEqual(['events 3 deleted a']);
  });

  it('is not told by a channel that was closed while the lease was looked up', async () => {
    const { store, test } = parts();
    const lease = store.grant();
    store.put('a', 'x', lease);
    const reader = test.read();
    store.hold('lease');
    store.endLease(lease);
    await test.tellAll();
    reader.subscription.close();
    await test.tellAll();
    test.expectNothingLeft();
  });

  it('is told whole: all keys of its revision, and only those of the range', async () => {
    const { store, test } = parts();
    const all = test.read();
    const one = test.read({ range: singleKey(bytes('b')) });
    store.commit([
      { kind: 'put', key: 'a', value: 'x' },
      { kind: 'put', key: 'b', value: 'x' },
    ]);
    await test.tellAll();
    expect(told(all.deliveries)).toEqual(['events 2 created a created b']);
    expect(told(one.deliveries)).toEqual(['events 2 created b']);
  });
});

function parts() {
  const test = new HubUnderTest();
  return { test, store: test.store };
}
