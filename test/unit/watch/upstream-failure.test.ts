import { describe, expect, it } from 'vitest';
import { DomainError } from '../../../src/domain/errors.ts';
import { HubUnderTest, span, told } from './hub-under-test.ts';
import { settled } from './settled.ts';

const DENIED = new DomainError('STORE_PERMISSION_DENIED', 'Not yours');

describe('a watch of the store that fails for good', () => {
  it('ends all its subscribers, those that wait and those that do not', async () => {
    const test = new HubUnderTest();
    const waiting = test.read();
    const idle = test.subscribe();
    await settled();
    test.source.watches[0]?.fail(DENIED);
    await settled();
    expect(waiting.end).toBe(DENIED);
    await expect(test.pull(idle)).rejects.toBe(DENIED);
    waiting.subscription.close();
    idle.close();
    test.expectNothingLeft();
  });

  it('comes behind the changes before it', async () => {
    const test = new HubUnderTest();
    const lease = test.store.grant();
    test.store.put('a', 'x', lease);
    const reader = test.read();
    await settled();
    test.store.hold('lease');
    test.store.endLease(lease);
    test.source.tellAll();
    test.source.watches[0]?.fail(DENIED);
    test.store.letGo('lease');
    await settled();
    expect(told(reader.deliveries)).toEqual(['events 3 expired a']);
    expect(reader.end).toBe(DENIED);
  });

  it('is not joined by those who come after it', async () => {
    const test = new HubUnderTest();
    // It never learns of it, since it never reads.
    const idle = test.subscribe();
    test.source.watches[0]?.fail(DENIED);
    const reader = test.read();
    test.store.put('a', 'x');
    await test.tellAll();
    expect(told(reader.deliveries)).toEqual(['events 2 created a']);
    reader.subscription.close();
    idle.close();
    test.expectNothingLeft();
  });

  it('leaves those who read a part of its range: each gets a watch of its own, and misses nothing', async () => {
    const test = new HubUnderTest({ nearRevisions: 0n });
    test.store.put('a', 'x');
    const wide = test.read();
    const waiting = [test.read({ range: span('a', 'b') }), test.read({ range: span('a', 'b') })];
    const behind = test.subscribe({ range: span('c', 'd') });
    await settled();
    test.store.put('a', 'y');
    test.store.put('c', 'x');
    const [first] = test.source.watches;
    first?.tell();
    first?.fail(DENIED);
    await test.tellAll();
    test.store.put('a', 'z');
    await test.tellAll();
    expect(wide.end).toBe(DENIED);
    expect(waiting.map(({ deliveries }) => told(deliveries))).toEqual([
      ['events 3 updated a', 'events 5 updated a'],
      ['events 3 updated a', 'events 5 updated a'],
    ]);
    expect(told([await test.pull(behind)])).toEqual(['events 4 created c']);
    for (const { subscription } of [wide, ...waiting]) subscription.close();
    behind.close();
    test.expectNothingLeft();
  });

  it('leaves who is further behind than the watch that others got in its place', async () => {
    const test = new HubUnderTest({ nearRevisions: 0n });
    test.store.put('a', 'x');
    test.store.put('a', 'y');
    test.read();
    const part = test.read({ range: span('a', 'b') });
    await settled();
    test.source.watches[0]?.fail(DENIED);
    await test.tellAll();

    const wide = test.read({ from: 2n });
    const late = test.read({ range: span('a', 'b'), from: 2n });
    await settled();
    test.source.watches.find(({ request }) => request.isPausable)?.fail(DENIED);
    for (let i = 0; i < 3; i++) await test.tellAll();
    test.store.put('a', 'z');
    await test.tellAll();
    expect(wide.end).toBe(DENIED);
    expect(told(part.deliveries)).toEqual(['events 4 updated a']);
    expect(told(late.deliveries)).toEqual(['events 2 created a', 'events 3 updated a', 'events 4 updated a']);
  });

  it('is not joined by those who come after it, nor where it stood in for another', async () => {
    const test = new HubUnderTest();
    test.read();
    // It never learns of it, since it never reads.
    const idle = test.subscribe({ range: span('a', 'b') });
    test.source.watches[0]?.fail(DENIED);
    await settled();
    for (const watch of test.source.watches) watch.fail(DENIED);
    await expect(test.pull(idle)).rejects.toBe(DENIED);
    const reader = test.read({ range: span('a', 'b') });
    test.store.put('a', 'x');
    await test.tellAll();
    expect(told(reader.deliveries)).toEqual(['events 2 created a']);
  });

  it('has no part in which watches are narrowed', async () => {
    const test = new HubUnderTest();
    const [wide, part, other] = [
      test.read(),
      test.read({ range: span('a', 'b') }),
      test.read({ range: span('x', 'z') }),
    ];
    await settled();
    test.source.watches[0]?.fail(DENIED);
    await test.tellAll();
    const late = test.read({ range: span('x', 'y') });
    await test.tellAll();
    wide.subscription.close();
    test.clock.advance(5_000);
    await test.tellAll();
    const ranges = test.source.watches.map(({ request }) => request.range);
    expect(ranges).toHaveLength(3);
    for (const { subscription } of [part, other, late]) subscription.close();
    test.expectNothingLeft();
  });
});
