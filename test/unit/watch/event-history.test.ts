import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { prefixRange } from '../../../src/domain/key-range.ts';
import type { Change } from '../../../src/domain/watch/change.ts';
import { type Entry, EventHistory, eventsEntry } from '../../../src/domain/watch/event-history.ts';
import { createView } from '../../../src/domain/watch/view.ts';
import { bytes } from './bytes.ts';
import { settled } from './settled.ts';

function change(revision: bigint, key = 'a'): Change {
  const kv = {
    key: bytes(key),
    value: bytes('x'),
    createRevision: revision,
    modRevision: revision,
    version: 1n,
    leaseId: 0n,
  };
  return { type: 'created', kv, previous: undefined };
}

function entry(revision: bigint): Entry {
  return eventsEntry(revision, [change(revision)]);
}

describe('EventHistory', () => {
  it('finds the first entry from any revision on, and counts its bytes, whatever was evicted', () => {
    const operations = fc.array(fc.oneof(fc.bigInt(1n, 5n), fc.constant('evict' as const)), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(operations, fc.bigInt(0n, 200n), (steps, wanted) => {
        const history = new EventHistory(10n);
        const entries: Entry[] = [];
        let revision = 9n;
        for (const step of steps) {
          if (step === 'evict') expect(history.evict()).toBe(entries.shift());
          else {
            revision += step;
            entries.push(entry(revision));
            history.append(entries.at(-1) ?? entry(revision));
          }
        }
        expect(history.firstFrom(wanted)).toBe(entries.find((each) => each.revision >= wanted));
        expect(history.position).toBe(revision);
        expect(history.bytes).toBe(entries.reduce((sum, each) => sum + each.bytes, 0));
      }),
    );
  });

  it('goes on over many evictions', () => {
    const history = new EventHistory(1n);
    const COUNT = 10_000n;
    for (let revision = 1n; revision <= COUNT; revision++) {
      history.append(entry(revision));
      if (revision > 10n) expect(history.evict()?.revision).toBe(revision - 10n);
    }
    expect(history.from).toBe(COUNT - 9n);
    expect(history.firstFrom(0n)?.revision).toBe(COUNT - 9n);
    expect(history.firstFrom(COUNT - 3n)?.revision).toBe(COUNT - 3n);
    expect(history.firstFrom(COUNT + 1n)).toBeUndefined();
  });

  it('holds what came after the last that it evicted', () => {
    const history = new EventHistory(5n);
    expect(history.from).toBe(5n);
    history.append(entry(7n));
    history.append(entry(9n));
    history.evict();
    expect(history.from).toBe(8n);
    history.evict();
    expect(history.from).toBe(10n);
    expect(history.evict()).toBeUndefined();
    expect(history.bytes).toBe(0);
  });

  it('never goes back', () => {
    const history = new EventHistory(5n);
    history.append(entry(7n));
    history.advance(6n);
    expect(history.position).toBe(7n);
    history.advance(8n);
    expect(history.position).toBe(8n);
  });

  it('lets go of what it evicted', async () => {
    const history = new EventHistory(1n);
    history.append(entry(2n));
    history.append(entry(3n));
    const evicted = new WeakRef(history.evict() ?? history);
    await settled();
    setFlagsFromString('--expose-gc');
    runInNewContext('gc')();
    expect(evicted.deref()).toBeUndefined();
    expect(history.firstFrom(0n)?.revision).toBe(3n);
  });
});

describe('eventsEntry', () => {
  it('makes what is seen once for all equal views', () => {
    const [first, second] = [1, 2].map(() => createView({ range: prefixRange(bytes('a')), keysOnly: true }));
    const made = entry(2n);
    expect(first && made.seenBy(first)).toBeDefined();
    expect(second && made.seenBy(second)).toBe(first && made.seenBy(first));
  });

  it('neither asks nor remembers a view of other keys', () => {
    const view = createView({ range: prefixRange(bytes('b')) });
    const asking = { ...view, select: () => expect.fail('asked') };
    expect(entry(2n).seenBy(asking)).toBeUndefined();
  });
});
