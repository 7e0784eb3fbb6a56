import { describe, expect, it } from 'vitest';
import { DomainError } from '../../../src/domain/errors.ts';
import { prefixRange } from '../../../src/domain/key-range.ts';

import { bytes } from './bytes.ts';
import { HubUnderTest, type Pulled, span, told } from './hub-under-test.ts';

const MIB = new Uint8Array(1024 * 1024);

/** A hub whose live channel begins at the newest revision, whoever comes first. */
function hubWithHistory(): HubUnderTest {
  const test = new HubUnderTest({ nearRevisions: 0n });
  for (const key of ['a', 'b', 'c', 'd']) test.store.put(key, 'x');
  return test;
}

/** As many revisions of a mebibyte each as a test wants. */
function hubWithMuch(key: string, count: number): HubUnderTest {
  const test = new HubUnderTest({ nearRevisions: 0n });
  for (let i = 0; i < count; i++) test.store.put(key, MIB);
  return test;
}

function laggardWatches({ source }: HubUnderTest) {
  return source.watches.filter(({ request }) => request.isPausable);
}

describe('laggards', () => {
  it('share one channel, and leave it for the live one when they have caught up', async () => {
    const test = hubWithHistory();
    const [first, second] = [test.read({ from: 2n }), test.read({ from: 4n })];
    expect(test.source.watches.length).toBe(2);
    await test.tellAll();
    await test.tellAll();
    test.store.put('e', 'x');
    await test.tellAll();
    const end = ['events 4 created c', 'events 5 created d', 'events 6 created e'];
    expect(told(first.deliveries)).toEqual(['events 2 created a', 'events 3 created b', ...end]);
    expect(told(second.deliveries)).toEqual(end);
    expect(laggardWatches(test)).toEqual([]);
    expect(test.hub.stats().channels).toBe(1);
  });

  it('do not share a channel that is past them', async () => {
    const test = hubWithHistory();
    const readers = [test.read({ from: 4n }), test.read({ from: 2n })];
    await test.tellAll();
    await test.tellAll();
    expect(readers.map(({ deliveries }) => deliveries.length)).toEqual([2, 4]);
  });

  it('start their live channel where they are, when they are near', async () => {
    const test = new HubUnderTest({ nearRevisions: 10n });
    for (const key of ['a', 'b', 'c']) test.store.put(key, 'x');
    const reader = test.read({ from: 2n });
    expect(test.source.openedCount).toBe(1);
    await test.tellAll();
    expect(reader.deliveries.length).toBe(3);
  });

  it('leave nothing behind when they leave before they have caught up', () => {
    const test = hubWithHistory();
    const subscription = test.subscribe({ from: 2n });
    expect(test.hub.stats().channels).toBe(2);
    subscription.close();
    test.expectNothingLeft();
  });

  it('leave nothing behind when they leave a channel that is full', async () => {
    const test = hubWithMuch('a', 12);
    const subscription = test.subscribe({ from: 2n });
    laggardWatches(test)[0]?.tell();
    subscription.close();
    test.expectNothingLeft();
  });

  it('leave nothing behind when the hub is disposed before', () => {
    const test = hubWithHistory();
    test.subscribe({ from: 2n });
    test.subscribe({ from: 2n, range: span('a', 'c') });
    test.hub[Symbol.dispose]();
    test.expectNothingLeft();
  });

  it('keep the live channel that they are on the way to, whoever else leaves', async () => {
    const test = hubWithHistory();
    const laggard = test.subscribe({ from: 2n, range: span('a', 'c') });
    const live = test.subscribe({ range: span('a', 'c') });
    const elsewhere = test.subscribe({ range: span('x', 'z') });
    live.close();
    elsewhere.close();
    test.clock.advance(5_000);
    await test.turn();
    expect(test.source.openedCount).toBe(3);
    expect(test.hub.stats().channels).toBe(2);
    laggard.close();
    test.expectNothingLeft();
  });

  it('have their watch paused when none of them reads, and resumed when one does', async () => {
    const test = hubWithMuch('a', 12);
    const subscription = test.subscribe({ from: 2n });
    const [watch] = laggardWatches(test);
    for (let i = 0; i < 12; i++) watch?.tell(1);
    expect(watch?.isPaused).toBe(true);
    expect(watch?.nextRevision).toBeLessThan(8n);
    const deliveries: Pulled[] = [];
    while (deliveries.length < 12) {
      const delivery = test.pull(subscription);
      await test.turn();
      watch?.tell(1);
      deliveries.push(await delivery);
    }
    expect(told(deliveries)).toEqual(
      Array.from({ length: 12 }, (_, i) => `events ${i + 2} ${i === 0 ? 'created' : 'updated'} a`),
    );
    subscription.close();
    test.expectNothingLeft();
  });

  it('are not held up by what none of them sees', async () => {
    const test = hubWithMuch('b', 12);
    test.store.put('a', 'x');
    // It waits from the start, while its channel fills.
    const waiting = test.read({ from: 2n, changes: 'all', glob: 'a' });
    const [watch] = laggardWatches(test);
    await test.turn();
    for (let i = 0; i < 20; i++) {
      watch?.tell(1);
      await test.turn();
    }
    expect(told(waiting.deliveries)).toEqual(['events 14 created a']);
  });

  it('are not held up by what none of them sees, nor when they read only after it came', async () => {
    const test = hubWithMuch('b', 12);
    test.store.put('a', 'x');
    const subscription = test.subscribe({ from: 2n, glob: 'a' });
    const [watch] = laggardWatches(test);
    watch?.tell(6);
    expect(watch?.isPaused).toBe(true);
    const delivery = test.pull(subscription);
    for (let i = 0; i < 20; i++) {
      await test.turn();
      watch?.tell(1);
    }
    expect(told([await delivery])).toEqual(['events 14 created a']);
  });

  it('all get everything where none is slower than the others', async () => {
    const COUNT = 12;
    const test = hubWithMuch('a', COUNT);
    const readers = Array.from({ length: 5 }, () => test.read({ from: 2n }));
    const [watch] = laggardWatches(test);
    for (let i = 0; i < COUNT; i++) {
      watch?.tell();
      await test.turn();
    }
    expect(readers.map(({ deliveries }) => deliveries.length)).toEqual(readers.map(() => COUNT));
    expect(readers.map(({ end }) => end)).toEqual(readers.map(() => undefined));
  });

  it('have their watch resumed before they have read all of it', async () => {
    const test = new HubUnderTest({ nearRevisions: 0n });
    for (let i = 0; i < 12; i++) test.store.put(`key ${i}`, MIB);
    const subscription = test.subscribe({ from: 2n });
    const [watch] = laggardWatches(test);
    watch?.tell();
    watch?.tell(2, { isUnderWay: true });
    expect(watch?.isPaused).toBe(true);
    while (watch?.isPaused === true) {
      await test.pull(subscription);
      await test.turn();
    }
    expect(subscription.nextRevision).toBeLessThan(watch?.nextRevision ?? 0n);
  });

  it('are as fast as the fastest: a slow one ends as too slow, and loses nothing when it comes back', async () => {
    const COUNT = 20;
    const test = hubWithMuch('a', COUNT);
    const slow = test.subscribe({ from: 2n });
    const fast = test.read({ from: 2n });
    expect(laggardWatches(test).length).toBe(1);
    expect(told([await firstOf(test, slow)])).toEqual(['events 2 created a']);
    const [watch] = laggardWatches(test);
    for (let i = 0; i < COUNT; i++) {
      watch?.tell(1);
      await test.turn();
    }
    expect(fast.deliveries.length).toBe(COUNT);
    const error = await test.pull(slow).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ reason: 'WATCH_TOO_SLOW', metadata: { revision: '2' } });
    slow.close();

    const again = test.read({ from: 3n });
    for (let i = 0; i < COUNT; i++) await test.tellAll();
    expect(again.deliveries.length).toBe(COUNT - 1);
  });

  it('do not join a channel whose watch has failed', async () => {
    const test = hubWithHistory();
    // It never learns of it, since it never reads.
    test.subscribe({ from: 2n });
    laggardWatches(test)[0]?.fail(new DomainError('STORE_PERMISSION_DENIED', 'Not yours'));
    const reader = test.read({ from: 2n });
    await test.tellAll();
    expect(reader.end).toBeUndefined();
    expect(reader.deliveries.length).toBe(4);
  });

  it('read from their own range alone', () => {
    const test = hubWithHistory();
    test.subscribe({ range: prefixRange(bytes('')) });
    test.subscribe({ from: 2n, range: span('a', 'c') });
    expect(laggardWatches(test).map(({ request }) => request)).toMatchObject([
      { range: span('a', 'c'), fromRevision: 2n },
    ]);
  });
});

function firstOf(test: HubUnderTest, subscription: ReturnType<HubUnderTest['subscribe']>) {
  const delivery = test.pull(subscription);
  laggardWatches(test)[0]?.tell(1);
  return delivery;
}
