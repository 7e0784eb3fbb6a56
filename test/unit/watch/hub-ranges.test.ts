import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type KeySpan, prefixRange, singleKey, spanOf } from '../../../src/domain/key-range.ts';
import { covers } from '../../../src/domain/watch/spans.ts';
import { bytes, text } from './bytes.ts';
import { HubUnderTest, type Reader, span, told } from './hub-under-test.ts';
import { settled } from './settled.ts';

const TIGHTEN_MS = 5_000;

describe('the live channels of a hub', () => {
  it('are one watch of the store for 1,000 subscribers on overlapping ranges', async () => {
    const test = new HubUnderTest();
    const readers = Array.from({ length: 1_000 }, (_, i) => {
      const kinds = [prefixRange(bytes('a/')), singleKey(bytes(`a/${i}`)), span(`a/${i}`, 'a/zz')];
      const range = i === 0 ? prefixRange(bytes('a/')) : kinds[i % kinds.length];
      return test.read(range && { range });
    });
    test.store.put('a/0', 'x');
    await test.tellAll();
    expect(test.source.openedCount).toBe(1);
    expect(test.hub.stats()).toMatchObject({ subscriptions: 1_000, channels: 1 });
    expect(readers.filter(({ deliveries }) => deliveries.length > 0).length).toBeGreaterThan(333);
    close(readers);
    test.expectNothingLeft();
  });

  it('are one for 1,000 subscribers whose ranges grow into each other', async () => {
    const test = new HubUnderTest();
    const letter = (i: number) => String.fromCharCode(0x100 + i);
    const readers = Array.from({ length: 1_000 }, (_, i) =>
      test.read({ range: span(letter(i), letter(i + 2)) }),
    );
    await test.tellAll();
    expect(test.source.watches.length).toBe(1);
    expect(rangesOf(test)).toEqual([`${letter(0)}-${letter(1_001)}`]);
    close(readers);
    test.expectNothingLeft();
  });

  it('are disjoint and cover every subscriber, whoever joins and leaves', async () => {
    const bound = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
    const range = fc.oneof(
      bound.map((key) => singleKey(bytes(key))),
      fc.tuple(bound, bound).map(([a, b]) => (a < b ? span(a, b) : span(b, undefined))),
    );
    const steps = fc.array(fc.oneof(range, fc.nat(10)), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(steps, async (joinsAndLeaves) => {
        const test = new HubUnderTest({ maxIndexedKeys: 0 });
        const readers: Reader[] = [];
        for (const step of joinsAndLeaves) {
          if (typeof step !== 'number') readers.push(test.read({ range: step }));
          else close(readers.splice(step, 1));
        }
        await test.tellAll();
        for (let round = 0; round < 2; round++) {
          const ranges = test.source.watches.map(({ request }) => spanOf(request.range));
          for (const { subscription } of readers) {
            const spanned = spanOf(subscription.view.range);
            expect(ranges.filter((each) => covers(each, spanned)).length).toBe(1);
          }
          expect(
            ranges.filter((each) => ranges.some((other) => other !== each && overlap(each, other))),
          ).toEqual([]);
          // The second time every watch is as narrow as it can be.
          test.clock.advance(TIGHTEN_MS);
          await test.tellAll();
        }
        close(readers);
        test.expectNothingLeft();
      }),
      { numRuns: 300 },
    );
  });

  it('become one where a range overlaps several, and nothing is lost or told twice', async () => {
    const test = new HubUnderTest();
    const { store, source } = test;
    const [first, second] = [test.read({ range: span('a', 'c') }), test.read({ range: span('e', 'g') })];
    store.put('a', 'x');
    await test.tellAll();
    expect(rangesOf(test)).toEqual(['a-c', 'e-g']);

    store.put('b', 'x');
    // It is told only where the old watches have not yet come to.
    source.watches[1]?.tell();
    source.watches[1]?.tellProgress();
    const third = test.read({ range: span('b', 'f') });
    // Who waits needs neither its old watch any more nor one to catch up with.
    await settled();
    expect(rangesOf(test)).toEqual(['a-g']);
    store.put('f', 'x');
    await test.tellAll();
    await test.tellAll();
    expect(rangesOf(test)).toEqual(['a-g']);
    expect(told(first.deliveries)).toEqual(['events 2 created a', 'events 3 created b']);
    expect(told(second.deliveries)).toEqual(['events 4 created f']);
    expect(told(third.deliveries)).toEqual([]);
    close([first, second, third]);
    test.expectNothingLeft();
  });

  it('move those who wait to the new channel without waking them', async () => {
    const test = new HubUnderTest();
    test.read({ range: span('a', 'c') });
    await test.tellAll();
    const old = test.source.watches;
    test.read({ range: span('b', 'd') });
    expect(test.source.watches.filter((watch) => old.includes(watch))).toEqual([]);
  });

  it('are narrower some seconds after the widest subscriber left, and nothing is lost meanwhile', async () => {
    const test = new HubUnderTest();
    const { store, clock } = test;
    const wide = test.read();
    const [first, second] = [test.read({ range: span('a', 'c') }), test.read({ range: span('e', 'g') })];
    await test.tellAll();
    expect(rangesOf(test)).toEqual(['-']);

    close([wide]);
    store.put('a', 'x');
    store.put('e', 'x');
    test.source.watches[0]?.tell(1);
    clock.advance(TIGHTEN_MS);
    await test.tellAll();
    await test.tellAll();
    expect(rangesOf(test)).toEqual(['a-c', 'e-g']);
    expect(told(first.deliveries)).toEqual(['events 2 created a']);
    expect(told(second.deliveries)).toEqual(['events 3 created e']);
    close([first, second]);
    test.expectNothingLeft();
  });

  it('stay as they are where nothing wider than needed is left', async () => {
    const test = new HubUnderTest();
    const [, twin] = [test.read(), test.read()];
    await test.tellAll();
    close(twin === undefined ? [] : [twin]);
    test.clock.advance(TIGHTEN_MS);
    await test.tellAll();
    expect(test.source.openedCount).toBe(1);
    expect(test.clock.pendingTimers).toBe(1);
  });

  it('give back their memory when others replace them', async () => {
    const test = new HubUnderTest();
    const first = test.read({ range: span('a', 'c') });
    test.store.put('a', 'x');
    await test.tellAll();
    expect(test.hub.stats().historyBytes).toBeGreaterThan(0);
    const second = test.read();
    expect(test.hub.stats().historyBytes).toBe(0);
    close([first, second]);
    test.expectNothingLeft();
  });

  it('close at once when the last subscriber leaves', async () => {
    const test = new HubUnderTest();
    const [first, second] = [test.subscribe(), test.subscribe()];
    test.store.put('a', 'x');
    await test.tellAll();
    first.close();
    expect(test.source.watches.length).toBe(1);
    second.close();
    test.expectNothingLeft();
  });

  it('are opened no more once the hub was disposed', async () => {
    const test = new HubUnderTest();
    const before = test.read();
    test.hub[Symbol.dispose]();
    const after = test.read();
    await test.tellAll();
    expect([before.end, after.end]).toMatchObject([{ reason: 'CALL_CANCELED' }, { reason: 'CALL_CANCELED' }]);
    test.expectNothingLeft();
  });
});

function close(readers: readonly Reader[]): void {
  for (const { subscription } of readers) subscription.close();
}

function rangesOf({ source }: HubUnderTest): readonly string[] {
  return source.watches
    .map(({ request }) => spanOf(request.range))
    .map(({ start, end }) => `${text(start)}-${end === undefined ? '' : text(end)}`)
    .sort();
}

function overlap(a: KeySpan, b: KeySpan): boolean {
  const startsBefore = (one: KeySpan, other: KeySpan) =>
    other.end === undefined || Buffer.compare(one.start, other.end) < 0;
  return startsBefore(a, b) && startsBefore(b, a);
}
