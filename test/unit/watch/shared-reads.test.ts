import { describe, expect, it } from 'vitest';
import { prefixRange } from '../../../src/domain/key-range.ts';
import { createSharedReads } from '../../../src/domain/watch/shared-reads.ts';
import { bytes } from './bytes.ts';
import { FakeStore } from './fake-store.ts';
import { settled } from './settled.ts';

const KEY = bytes('k');

describe('createSharedReads', () => {
  it('reads twice for any number of callers that come while it reads', async () => {
    const store = new FakeStore();
    const reads = createSharedReads(store);
    store.hold('answer');
    const first = reads.head(KEY, new AbortController());
    await settled();
    store.put('k', 'x');
    const later = Array.from({ length: 100 }, () => reads.head(KEY, new AbortController()));
    store.letGo('answer');
    expect(await first).toBe(1n);
    expect(new Set(await Promise.all(later))).toEqual(new Set([2n]));
    expect(store.reads).toBe(2);
  });

  it('reads for each range by itself', async () => {
    const store = new FakeStore();
    store.put('a', 'x');
    store.put('b', 'x');
    const reads = createSharedReads(store);
    const pageOf = (prefix: string) =>
      reads.page(
        {
          range: { ...prefixRange(bytes(prefix)), kind: 'range', start: bytes(prefix), end: undefined },
          view: 'full',
          cursor: undefined,
        },
        new AbortController(),
      );
    const [both, one] = await Promise.all([pageOf('a'), pageOf('b')]);
    expect([both.kvs.length, one.kvs.length]).toEqual([2, 1]);
  });

  it('lets one caller go without disturbing the others', async () => {
    const store = new FakeStore();
    const reads = createSharedReads(store);
    store.hold('read');
    const [leaving, staying] = [new AbortController(), new AbortController()];
    const heads = [leaving, staying].map((options) => reads.head(KEY, options));
    const [left, stayed] = heads;
    leaving.abort(new Error('left'));
    await expect(left).rejects.toThrow('left');
    store.letGo('read');
    expect(await stayed).toBe(1n);
  });

  it('fails for all that wait for the same read, and reads anew for the next', async () => {
    const store = new FakeStore();
    const reads = createSharedReads(store);
    store.isFailing = true;
    const heads = [1, 2, 3].map(() => reads.head(KEY, new AbortController()));
    const outcomes = await Promise.allSettled(heads);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    store.isFailing = false;
    expect(await reads.head(KEY, new AbortController())).toBe(1n);
  });

  it('rejects nowhere unheard when all callers have gone', async () => {
    const store = new FakeStore();
    const reads = createSharedReads(store);
    store.hold('read');
    const controller = new AbortController();
    const heads = [1, 2].map(() => reads.head(KEY, controller));
    controller.abort(new Error('left'));
    await Promise.allSettled(heads);
    store.isFailing = true;
    store.letGo('read');
    await settled();
    store.isFailing = false;
    expect(await reads.head(KEY, new AbortController())).toBe(1n);
  });
});
