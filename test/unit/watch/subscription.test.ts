import { describe, expect, it } from 'vitest';
import { HubUnderTest, PULL_MS, span, told } from './hub-under-test.ts';
import { settled } from './settled.ts';

describe('Subscription', () => {
  it('says that nothing came, and how far that is true', async () => {
    const test = new HubUnderTest();
    const reader = test.read({ range: span('a', 'b') });
    await settled();
    test.store.put('x', 'x');
    test.source.tellAll();
    test.clock.advance(PULL_MS - 1);
    await settled();
    expect(reader.deliveries).toEqual([]);
    test.clock.advance(1);
    await settled();
    expect(told(reader.deliveries)).toEqual(['idle 2']);
  });

  it('is woken by what its view shows alone', async () => {
    const test = new HubUnderTest();
    const reader = test.read({ changes: 'deletes' });
    test.store.put('a', 'x');
    await test.tellAll();
    expect(reader.subscription.isWaiting).toBe(true);
    expect(reader.subscription.nextRevision).toBe(3n);
    test.store.delete('a');
    await test.tellAll();
    expect(told(reader.deliveries)).toEqual(['events 3 deleted a']);
  });

  it('is not told what its channel reads before its position', async () => {
    const test = new HubUnderTest({ nearRevisions: 10n });
    test.store.put('a', 'x');
    test.store.put('a', 'y');
    const early = test.read({ from: 2n });
    const late = test.read({ from: 3n });
    const ahead = test.read({ from: 4n });
    await settled();
    expect(test.source.openedCount).toBe(1);
    for (let i = 0; i < 2; i++) test.source.watches[0]?.tell(1);
    await test.tellAll();
    test.store.put('a', 'z');
    await test.tellAll();
    expect([early, late, ahead].map(({ deliveries }) => deliveries.length)).toEqual([3, 2, 1]);
    expect(told(ahead.deliveries)).toEqual(['events 4 updated a']);
  });

  it('says nothing of revisions that its channel has not come to', async () => {
    const test = new HubUnderTest();
    test.read();
    await settled();
    for (let i = 0; i < 3; i++) test.store.put('a', 'x');
    const ahead = test.read();
    await settled();
    test.clock.advance(PULL_MS);
    await settled();
    expect(told(ahead.deliveries)).toEqual(['idle 4']);
    await test.tellAll();
    test.store.put('a', 'x');
    await test.tellAll();
    expect(told(ahead.deliveries)).toEqual(['idle 4', 'events 5 updated a']);
  });

  it('ends when it is closed while it waits', async () => {
    const test = new HubUnderTest();
    const reader = test.read();
    await settled();
    reader.subscription.close();
    reader.subscription.close();
    await settled();
    expect(reader.end).toMatchObject({ reason: 'CALL_CANCELED' });
    await expect(test.pull(reader.subscription)).rejects.toMatchObject({ reason: 'CALL_CANCELED' });
    test.expectNothingLeft();
  });

  it('shares one timer with all others that wait, and leaves none in the end', async () => {
    const test = new HubUnderTest();
    const subscriptions = [test.subscribe(), test.subscribe(), test.subscribe()];
    for (let i = 0; i < 3; i++) {
      const waiting = Promise.all(subscriptions.map((each) => test.pull(each)));
      await settled();
      expect(test.clock.pendingTimers).toBe(1);
      test.store.put('a', 'x');
      await test.tellAll();
      await waiting;
    }
    for (const subscription of subscriptions) subscription.close();
    expect(test.clock.pendingTimers).toBe(0);
  });

  it('is idle at its own time, whoever waits for less or more', async () => {
    const test = new HubUnderTest();
    const ends: number[] = [];
    for (const untilMs of [300, 100, 200, 100]) {
      void test.pull(test.subscribe(), untilMs).then(() => ends.push(untilMs));
    }
    const early = test.subscribe();
    void test.pull(early, 50).catch(() => {});
    await settled();
    early.close();
    const endedBy = async (nowMs: number) => {
      test.clock.advance(nowMs - test.clock.now());
      await settled();
      return ends;
    };
    expect(await endedBy(99)).toEqual([]);
    expect(await endedBy(100)).toEqual([100, 100]);
    expect(await endedBy(299)).toEqual([100, 100, 200]);
    expect(await endedBy(300)).toEqual([100, 100, 200, 300]);
  });

  it('is idle again and again, each time after as long', async () => {
    const test = new HubUnderTest();
    using subscription = test.subscribe();
    for (let i = 1; i <= 3; i++) {
      const waiting = test.pull(subscription, i * PULL_MS);
      await settled();
      test.clock.advance(PULL_MS);
      expect(await waiting).toMatchObject({ kind: 'idle' });
    }
  });

  it('loses nothing that comes between its waking and its reading', async () => {
    const test = new HubUnderTest();
    const reader = test.read();
    await settled();
    test.store.put('a', 'x');
    test.store.put('b', 'x');
    // The time is up, and two changes come in the same turn.
    test.clock.advance(PULL_MS);
    test.source.watches[0]?.tell(1);
    test.source.watches[0]?.tell(1);
    await settled();
    expect(told(reader.deliveries)).toEqual(['events 2 created a', 'events 3 created b']);
  });
});
