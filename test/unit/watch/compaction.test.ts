import { describe, expect, it } from 'vitest';
import { singleKey } from '../../../src/domain/key-range.ts';
import { bytes, text } from './bytes.ts';
import { HubUnderTest, span, told } from './hub-under-test.ts';
import { settled } from './settled.ts';

/** A hub with three keys, whose index is whole. */
async function hubWithKeys(options: ConstructorParameters<typeof HubUnderTest>[0] = {}) {
  const test = new HubUnderTest(options);
  for (const key of ['a', 'b', 'c']) test.store.put(key, 'x');
  return test;
}

/** Cuts all watches, writes, compacts what was written, and lets the watches find out. */
async function loseChanges(test: HubUnderTest, write: (store: HubUnderTest['store']) => void): Promise<void> {
  await settled();
  for (const watch of test.source.watches) watch.cut();
  write(test.store);
  test.store.put('z', 'the last');
  test.store.compact(test.store.revision);
  for (const watch of test.source.watches) watch.reconnect();
  await test.tellAll();
}

function writeMuch(store: HubUnderTest['store']): void {
  store.put('a', 'y');
  store.delete('b');
  store.put('d', 'x');
  store.put('e', 'x');
  store.delete('e');
}

describe('a hub whose changes were compacted away', () => {
  it('tells the exact difference where it has an index', async () => {
    const test = await hubWithKeys();
    const all = test.read();
    const [one, none] = [test.read({ range: singleKey(bytes('b')) }), test.read({ range: span('c', 'd') })];
    await loseChanges(test, writeMuch);
    expect(told(all.deliveries)).toEqual(['resync 10 deleted b updated a created d created z']);
    const [resync] = all.deliveries;
    const values = resync?.kind === 'resync' && resync.changes.map(({ kv }) => text(kv.value));
    expect(values).toEqual(['', 'y', 'x', 'the last']);
    expect(told(one.deliveries)).toEqual(['resync 10 deleted b']);
    expect(told(none.deliveries)).toEqual(['resync 10']);

    test.store.put('c', 'y');
    await test.tellAll();
    expect(all.deliveries.length).toBe(2);
    expect(told(none.deliveries)).toEqual(['resync 10', 'events 11 updated c']);
  });

  it('tells a second difference from the state of the first', async () => {
    const test = await hubWithKeys();
    const reader = test.read();
    await loseChanges(test, writeMuch);
    await loseChanges(test, (store) => store.delete('d'));
    expect(told(reader.deliveries)).toEqual([
      'resync 10 deleted b updated a created d created z',
      'resync 12 deleted d updated z',
    ]);
  });

  it('has its subscribers begin anew where it has no index, and they go on from there', async () => {
    const test = await hubWithKeys({ maxIndexedKeys: 2 });
    const reader = test.read();
    await loseChanges(test, writeMuch);
    expect(told(reader.deliveries)).toEqual(['lost']);
    const { subscription } = reader;
    subscription.rebase(test.store.revision + 1n);
    test.store.put('f', 'x');
    const next = test.pull(subscription);
    await test.tellAll();
    expect(told([await next])).toEqual(['events 11 created f']);
    subscription.close();
    test.expectNothingLeft();
  });

  it('leaves who has lost changes at the last revision that it knew of', async () => {
    const test = await hubWithKeys({ maxIndexedKeys: 0 });
    const { subscription } = test.read();
    await loseChanges(test, writeMuch);
    expect(subscription.nextRevision).toBe(5n);
  });

  it('leaves who coalesces before all that it was not given', async () => {
    const test = await hubWithKeys({ maxIndexedKeys: 0, historyBytes: 3_000 });
    const subscription = test.subscribe({ isCoalescing: true });
    test.store.put('a', 'y');
    test.store.put('a', 'z');
    await test.tellAll();
    expect(subscription.nextRevision).toBe(6n);
    await loseChanges(test, writeMuch);
    expect(subscription.nextRevision).toBe(5n);
  });

  it('watches on right behind what it found', async () => {
    const test = await hubWithKeys();
    test.read();
    await loseChanges(test, writeMuch);
    expect(test.source.watches.map(({ request }) => request.fromRevision)).toEqual([11n]);
  });

  it('gives who reads behind the history first, then the difference', async () => {
    const test = await hubWithKeys();
    const subscription = test.subscribe();
    test.store.put('a', 'y');
    await test.tellAll();
    await loseChanges(test, (store) => store.put('b', 'y'));
    const deliveries = [await test.pull(subscription), await test.pull(subscription)];
    expect(told(deliveries)).toEqual(['events 5 updated a', 'resync 7 updated b created z']);
  });

  it('does not tell a difference to who was already past where it starts from', async () => {
    const test = await hubWithKeys();
    const [behind] = [test.read()];
    await settled();
    for (const watch of test.source.watches) watch.cut();
    test.store.put('d', 'x');
    const [ahead, aheadAtOne] = [test.read(), test.read({ range: singleKey(bytes('d')) })];
    await loseChanges(test, (store) => store.delete('d'));
    expect(told(behind.deliveries)).toEqual(['resync 7 created z']);
    expect(told([...ahead.deliveries, ...aheadAtOne.deliveries])).toEqual(['lost', 'lost']);
  });

  it('tells nothing to who is past all that was lost', async () => {
    const test = await hubWithKeys();
    test.read();
    await settled();
    for (const watch of test.source.watches) watch.cut();
    test.store.put('d', 'x');
    test.store.compact(5n);
    const ahead = test.read();
    for (const watch of test.source.watches) watch.reconnect();
    await test.tellAll();
    test.store.put('e', 'x');
    await test.tellAll();
    expect(told(ahead.deliveries)).toEqual(['events 6 created e']);
  });

  it('has who did not read the difference in time begin anew', async () => {
    const test = await hubWithKeys({ historyBytes: 3_000 });
    const subscription = test.subscribe({ range: span('c', 'd') });
    const coalescing = test.subscribe({ range: span('c', 'd'), isCoalescing: true });
    await loseChanges(test, (store) => store.put('c', 'y'));
    test.store.put('c', 'z');
    test.store.put('c', 'z');
    await test.tellAll();
    expect(told([await test.pull(subscription), await test.pull(coalescing)])).toEqual(['lost', 'lost']);
  });

  it('does not end as too slow who begins anew, and loses nothing of what it evicted meanwhile', async () => {
    const test = await hubWithKeys({ maxIndexedKeys: 0, historyBytes: 5_000 });
    const options = [{}, { isCoalescing: true }, { range: span('g', 'h') }];
    const readers = options.map((each) => test.read(each));
    await loseChanges(test, writeMuch);
    const from = test.store.revision + 1n;
    for (const key of ['f', 'f', 'f', 'f', 'g', 'h']) test.store.put(key, 'x');
    await test.tellAll();
    const first = readers.map(({ subscription }) => {
      subscription.rebase(from);
      return test.pull(subscription);
    });
    await test.tellAll();
    expect(told(await Promise.all(first))).toEqual([
      'events 11 created f',
      'events 16 created f created g created h',
      'events 15 created g',
    ]);
  });

  it('does not tell a difference from the state of another store', async () => {
    const test = await hubWithKeys();
    const reader = test.read();
    await settled();
    // Another cluster, that happens to be at the same revision.
    const [watch] = test.source.watches;
    watch?.replaceStore();
    await test.tellAll();
    expect(told(reader.deliveries)).toEqual(['lost']);
  });

  it('keeps its memory in order', async () => {
    const test = await hubWithKeys({ maxIndexedKeys: 0 });
    const subscription = test.subscribe();
    test.store.put('a', 'y');
    await test.tellAll();
    await loseChanges(test, writeMuch);
    expect(test.hub.stats().historyBytes).toBe(0);
    test.store.put('a', 'z');
    await test.tellAll();
    subscription.close();
    test.expectNothingLeft();
  });
});

describe('a hub that cannot read the store after a compaction', () => {
  const RETRY_MS = 500;

  async function hubThatWaits() {
    const test = await hubWithKeys();
    const reader = test.read();
    await settled();
    test.store.isFailing = true;
    await loseChanges(test, writeMuch);
    return { test, reader };
  }

  it('tries again after a while, and no sooner', async () => {
    const { test, reader } = await hubThatWaits();
    const { reads } = test.store;
    test.clock.advance(RETRY_MS - 1);
    await test.tellAll();
    expect([test.store.reads - reads, reader.deliveries.length]).toEqual([0, 0]);
    test.store.isFailing = false;
    test.clock.advance(1);
    await test.tellAll();
    expect(told(reader.deliveries)).toEqual(['resync 10 deleted b updated a created d created z']);
  });

  it('stops at once when it is closed', async () => {
    const { test, reader } = await hubThatWaits();
    reader.subscription.close();
    await settled();
    test.expectNothingLeft();
    test.store.isFailing = false;
    const { reads } = test.store;
    test.clock.advance(10 * RETRY_MS);
    await settled();
    expect(test.store.reads).toBe(reads);
    expect(test.source.watches).toEqual([]);
  });

  it.each(['read', 'answer'] as const)('opens no watch when it is closed at its %s', async (point) => {
    const test = await hubWithKeys();
    const reader = test.read();
    await settled();
    test.store.hold(point);
    await loseChanges(test, writeMuch);
    reader.subscription.close();
    test.store.letGo(point);
    await test.tellAll();
    test.expectNothingLeft();
  });
});
