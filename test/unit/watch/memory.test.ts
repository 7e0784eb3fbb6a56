import { describe, expect, it } from 'vitest';
import { bytes } from './bytes.ts';
import { HubUnderTest, span, told } from './hub-under-test.ts';
import { settled } from './settled.ts';

/** More than two small changes, less than three. */
const SMALL = 10 * 500;

async function endOf(test: HubUnderTest, subscription: ReturnType<HubUnderTest['subscribe']>) {
  return test.pull(subscription).then(told1, (error: unknown) => error);
}

function told1(delivery: Parameters<typeof told>[0][number]) {
  return told([delivery])[0];
}

describe('the memory of a hub', () => {
  it('is bounded, and nobody who reads in time is ended for it', async () => {
    const test = new HubUnderTest({ historyBytes: SMALL });
    const reader = test.read();
    const COUNT = 100;
    for (let i = 0; i < COUNT; i++) test.store.put(`key ${i}`, 'x');
    await test.tellAll();
    expect(reader.deliveries.length).toBe(COUNT);
    expect(reader.end).toBeUndefined();
    expect(test.hub.stats().historyBytes).toBeLessThanOrEqual(SMALL);
    reader.subscription.close();
    test.expectNothingLeft();
  });

  it('lets a change through that is larger than all of it', async () => {
    const test = new HubUnderTest({ historyBytes: SMALL });
    const reader = test.read();
    test.store.put('a', new Uint8Array(10 * SMALL));
    test.store.put('b', 'x');
    await test.tellAll();
    expect(told(reader.deliveries)).toEqual(['events 2 created a', 'events 3 created b']);
    expect(test.hub.stats().historyBytes).toBeLessThanOrEqual(SMALL);
  });

  it('ends who does not read in time, and says where to go on', async () => {
    const test = new HubUnderTest({ historyBytes: SMALL });
    const subscription = test.subscribe();
    for (const key of ['a', 'b', 'c', 'd']) test.store.put(key, 'x');
    await test.tellAll();
    expect(await endOf(test, subscription)).toMatchObject({
      reason: 'WATCH_TOO_SLOW',
      metadata: { revision: '1' },
    });
  });

  it('says where to go on even if what it evicts next was not for that subscriber', async () => {
    const test = new HubUnderTest({ historyBytes: SMALL });
    const reader = test.read();
    const subscription = test.subscribe({ range: span('a', 'b') });
    for (const key of ['a', 'x', 'x', 'x', 'x']) test.store.put(key, 'x');
    await test.tellAll();
    expect(reader.deliveries.length).toBe(5);
    expect(await endOf(test, subscription)).toMatchObject({ metadata: { revision: '1' } });
  });

  it('goes past what a subscriber does not see', async () => {
    const test = new HubUnderTest({ historyBytes: SMALL });
    test.subscribe();
    const subscription = test.subscribe({ range: span('a', 'b') });
    for (const key of ['x', 'x', 'x', 'x', 'a']) test.store.put(key, 'x');
    await test.tellAll();
    expect(await endOf(test, subscription)).toBe('events 6 created a');
  });

  it('is taken from the channel that holds most', async () => {
    const test = new HubUnderTest({ historyBytes: 20_000 });
    const small = test.subscribe({ range: span('a', 'b') });
    test.store.put('a', 'x');
    const large = test.subscribe({ range: span('c', 'd') });
    for (let i = 0; i < 20; i++) test.store.put('c', 'x');
    await test.tellAll();
    expect(await endOf(test, small)).toBe('events 2 created a');
    expect(await endOf(test, large)).toMatchObject({ reason: 'WATCH_TOO_SLOW' });
    small.close();
    large.close();
    test.expectNothingLeft();
  });

  it('is not taken from a channel that has closed', async () => {
    const test = new HubUnderTest({ historyBytes: SMALL });
    const staying = test.subscribe({ range: span('a', 'b') });
    const leaving = test.subscribe({ range: span('c', 'd') });
    for (const key of ['a', 'a', 'a', 'c', 'c', 'c', 'c']) test.store.put(key, 'x');
    await settled();
    test.source.tellAll();
    leaving.close();
    await test.tellAll();
    expect(test.hub.stats().historyBytes).toBeGreaterThan(0);
    staying.close();
    test.expectNothingLeft();
  });

  it('leaves no timer when the last subscriber leaves while it is full', async () => {
    const test = new HubUnderTest({ historyBytes: SMALL });
    const subscription = test.subscribe();
    for (const key of ['a', 'b', 'c', 'd']) test.store.put(key, 'x');
    test.source.tellAll();
    subscription.close();
    test.expectNothingLeft();
  });
});

describe('a subscriber that coalesces', () => {
  it('gets the latest change of each key of what it did not read in time', async () => {
    const test = new HubUnderTest({ historyBytes: SMALL });
    test.store.put('old', 'x');
    const subscription = test.subscribe({ isCoalescing: true, returnPrevious: true });
    test.store.put('a', 'x');
    test.store.put('b', 'x');
    test.store.put('old', 'y');
    test.store.put('a', 'y');
    test.store.put('old', 'z');
    test.store.delete('b');
    await test.tellAll();
    const delivery = await test.pull(subscription);
    expect(told([delivery])).toEqual(['events 8 created a updated old deleted b']);
    expect('changes' in delivery && delivery.changes.map(({ previous }) => previous?.modRevision)).toEqual([
      undefined,
      2n,
      undefined,
    ]);
  });

  it('coalesces what lies in the history too, and goes on behind it', async () => {
    const test = new HubUnderTest();
    const subscription = test.subscribe({ isCoalescing: true });
    test.store.put('a', 'x');
    test.store.put('a', 'y');
    await test.tellAll();
    expect(told([await test.pull(subscription)])).toEqual(['events 3 created a']);
    const next = test.pull(subscription);
    await settled();
    test.store.put('a', 'z');
    await test.tellAll();
    expect(told([await next])).toEqual(['events 4 updated a']);
  });

  it('is ended where even that is too much, and goes on before all that it was not given', async () => {
    const MIB = new Uint8Array(1024 * 1024);
    const test = new HubUnderTest({ historyBytes: SMALL });
    test.store.put('before', 'x');
    const subscription = test.subscribe({ isCoalescing: true });
    for (let i = 0; i < 20; i++) test.store.put(`key ${i}`, MIB);
    await test.tellAll();
    expect(await endOf(test, subscription)).toMatchObject({
      reason: 'WATCH_TOO_SLOW',
      metadata: { revision: '2' },
    });
  });

  it('takes no more for many changes of one key', async () => {
    const test = new HubUnderTest({ historyBytes: SMALL });
    const subscription = test.subscribe({ isCoalescing: true });
    const value = bytes('x'.repeat(100_000));
    for (let i = 0; i < 500; i++) test.store.put('a', value);
    await test.tellAll();
    expect(await endOf(test, subscription)).toBe('events 501 created a');
  });
});
