import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { prefixRange } from '../../../src/domain/key-range.ts';
import { createView } from '../../../src/domain/watch/view.ts';
import {
  createBatchedWatch,
  oneByOne,
  type WatchMessage,
  type WatchQuery,
} from '../../../src/domain/watch/watch.ts';
import { bytes, text } from './bytes.ts';
import { HubUnderTest } from './hub-under-test.ts';
import { settled } from './settled.ts';

const INTERVAL_MS = 1_000;

function queryOf(query: Partial<WatchQuery> = {}): WatchQuery {
  return {
    view: createView({ range: prefixRange(bytes('k')) }),
    start: { kind: 'now' },
    includeSnapshot: false,
    isKeysOnly: false,
    isCoalescing: false,
    checkpointIntervalMs: INTERVAL_MS,
    ...query,
  };
}

/** A watch that is read one message at a time. */
function opened(test: HubUnderTest, query: Partial<WatchQuery> = {}) {
  const controller = new AbortController();
  const stream = oneByOne(createBatchedWatch(test.hub, test.store))(queryOf(query), controller);
  return { stream, leave: () => controller.abort(new Error('left')) };
}

/** A watch, and all its messages as short texts. */
function watched(test: HubUnderTest, query: Partial<WatchQuery> = {}) {
  const { stream, leave } = opened(test, query);
  const messages: string[] = [];
  const end = (async () => {
    for await (const message of stream) messages.push(shortly(message));
  })().catch((error: unknown) => error);
  return { messages, end, leave };
}

function shortly(message: WatchMessage): string {
  const { kind, revision } = message;
  if (kind === 'snapshot') {
    const { kvs } = message;
    return `${kind} ${revision} ${kvs.length > 3 ? kvs.length : kvs.map(({ key }) => text(key)).join(' ')}`;
  }
  if (kind !== 'events' && kind !== 'resync') return `${kind} ${revision}`;
  return [
    `${kind} ${revision}`,
    ...(message.changes ?? []).map(({ type, kv }) => `${type} ${text(kv.key)}`),
  ].join(' ');
}

function hubWithKeys(): HubUnderTest {
  const test = new HubUnderTest();
  for (const key of ['k1', 'k2', 'other']) test.store.put(key, 'x');
  return test;
}

describe('watch', () => {
  it('says at once from where it watches, then all changes, then now and then that there are none', async () => {
    const test = hubWithKeys();
    const { messages, leave, end } = watched(test);
    await settled();
    expect(messages).toEqual(['checkpoint 4']);
    test.store.put('k1', 'y');
    test.store.put('other', 'y');
    await test.tellAll();
    expect(messages).toEqual(['checkpoint 4', 'events 5 updated k1']);
    for (let i = 0; i < 2; i++) {
      test.clock.advance(INTERVAL_MS);
      await settled();
    }
    expect(messages.slice(2)).toEqual(['checkpoint 6', 'checkpoint 6']);
    leave();
    expect(await end).toMatchObject({ message: 'left' });
    test.expectNothingLeft();
  });

  it('sends the state first where it is asked for, page by page, and what came meanwhile', async () => {
    const test = new HubUnderTest();
    test.store.commit(Array.from({ length: 2_500 }, (_, i) => ({ kind: 'put', key: `k${i}`, value: 'x' })));
    test.store.hold('answer');
    const { messages } = watched(test, { includeSnapshot: true });
    await settled();
    test.store.put('k0', 'y');
    test.store.letGo('answer');
    await settled();
    test.store.put('k1', 'y');
    await test.tellAll();
    expect(messages).toEqual([
      'snapshot 3 1000',
      'snapshot 3 1000',
      'snapshot 3 500',
      'synced 3',
      'checkpoint 3',
      'events 4 updated k1',
    ]);
  });

  it('sends an empty state', async () => {
    const test = new HubUnderTest();
    const { messages } = watched(test, { includeSnapshot: true });
    await settled();
    expect(messages).toEqual(['synced 1', 'checkpoint 1']);
  });

  it('begins the state anew where its revision is compacted away in the middle', async () => {
    const test = new HubUnderTest();
    test.store.commit(Array.from({ length: 1_500 }, (_, i) => ({ kind: 'put', key: `k${i}`, value: 'x' })));
    const { stream: slow } = opened(test, { includeSnapshot: true });
    const next = async () => shortly((await slow.next()).value);
    expect(await next()).toBe('snapshot 2 1000');
    test.store.put('other', 'x');
    test.store.compact(3n);
    const rest = [await next(), await next(), await next(), await next(), await next()];
    expect(rest).toEqual(['resync 2', 'snapshot 3 1000', 'snapshot 3 500', 'synced 3', 'checkpoint 3']);
    await slow.return(undefined as never);
    test.expectNothingLeft();
  });

  it.each([
    ['in its first page', 0, '*', ['snapshot 3 1000', 'snapshot 3 500']],
    ['where no key of its first page is shown', 1, 'k1200', ['snapshot 3 k1200']],
  ])(
    'begins the state anew without a word where nothing of it was sent: %s',
    async (_, answers, glob, snapshots) => {
      const test = new HubUnderTest();
      const keys = Array.from({ length: 1_500 }, (__, i) => `k${String(i).padStart(4, '0')}`);
      test.store.commit(keys.map((key) => ({ kind: 'put', key, value: 'x' })));
      test.store.hold('answer');
      const view = createView({ range: prefixRange(bytes('k')), glob });
      const { messages, leave } = watched(test, { view, includeSnapshot: true });
      // The head, then the first hundred keys; then the rest of a page at a time.
      for (let i = 0; i <= 2 * answers; i++) {
        await settled();
        test.store.letGo('answer');
        test.store.hold('answer');
      }
      await settled();
      test.store.put('other', 'x');
      test.store.compact(3n);
      test.store.letGo('answer');
      await settled();
      expect(messages).toEqual([...snapshots, 'synced 3', 'checkpoint 3']);
      leave();
      await settled();
      test.expectNothingLeft();
    },
  );

  it('begins at a revision of the past, and at the next', async () => {
    const test = hubWithKeys();
    const past = watched(test, { start: { kind: 'revision', revision: 3n } });
    const next = watched(test, { start: { kind: 'revision', revision: 5n } });
    await test.tellAll();
    expect(past.messages).toEqual(['checkpoint 2', 'events 3 created k2']);
    expect(next.messages).toEqual(['checkpoint 4']);
  });

  it('goes on behind the revision that was received', async () => {
    const test = hubWithKeys();
    const { messages } = watched(test, {
      start: { kind: 'resume', revision: 2n, isPartial: false },
      includeSnapshot: true,
    });
    await test.tellAll();
    expect(messages).toEqual(['checkpoint 2', 'events 3 created k2']);
  });

  it('sends the state to who comes back with half of it', async () => {
    const test = hubWithKeys();
    const { messages } = watched(test, { start: { kind: 'resume', revision: 2n, isPartial: true } });
    await settled();
    expect(messages).toEqual(['snapshot 4 k1 k2', 'synced 4', 'checkpoint 4']);
  });

  it('resyncs who comes back after the changes were compacted away', async () => {
    const test = hubWithKeys();
    test.store.compact(4n);
    const { messages } = watched(test, { start: { kind: 'resume', revision: 2n, isPartial: false } });
    await test.tellAll();
    await test.tellAll();
    expect(messages).toEqual(['checkpoint 2', 'resync 2', 'snapshot 4 k1 k2', 'synced 4', 'checkpoint 4']);
  });

  it.each<[string, WatchQuery['start']]>([
    ['REVISION_IN_FUTURE', { kind: 'revision', revision: 6n }],
    ['REVISION_IN_FUTURE', { kind: 'resume', revision: 5n, isPartial: false }],
    ['REVISION_COMPACTED', { kind: 'revision', revision: 2n }],
  ])('ends with %s at %o', async (reason, start) => {
    const test = hubWithKeys();
    test.store.compact(3n);
    const { end, messages } = watched(test, { start });
    expect(await end).toMatchObject({ reason });
    expect(messages).toEqual([]);
    test.expectNothingLeft();
  });

  it.each([
    ['while it reads the state', true],
    ['while it waits', false],
  ])('ends with the reason of its signal, and leaves no listener: %s', async (_, isHeld) => {
    const test = hubWithKeys();
    if (isHeld) test.store.hold('answer');
    const controller = new AbortController();
    const stream = oneByOne(createBatchedWatch(test.hub, test.store))(queryOf(), controller);
    if (!isHeld) await stream.next();
    const next = stream.next();
    await settled();
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
    controller.abort(new Error('left'));
    await expect(next).rejects.toThrow('left');
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    test.store.letGo('answer');
    await settled();
    test.expectNothingLeft();
  });

  it('tells who waits for more that there is none when it is ended, and all who ask after that', async () => {
    const test = hubWithKeys();
    const watch = createBatchedWatch(test.hub, test.store)(queryOf(), {
      batch: (messages) => messages.map(shortly),
      failure: (error) => error,
    });
    expect(await watch.next()).toEqual({ done: false, value: ['checkpoint 4'] });
    const next = watch.next();
    await settled();
    expect(test.hub.stats().subscriptions).toBe(1);
    await watch.return();
    expect(await next).toEqual({ done: true, value: undefined });
    expect(await watch.next()).toEqual({ done: true, value: undefined });
    await settled();
    test.expectNothingLeft();
  });

  it('leaves nothing behind when its reader stops without a word', async () => {
    const test = hubWithKeys();
    const { stream } = opened(test, { start: { kind: 'revision', revision: 2n } });
    expect((await stream.next()).value).toMatchObject({ kind: 'checkpoint' });
    const next = stream.next();
    await test.tellAll();
    expect((await next).value).toMatchObject({ kind: 'events' });
    expect(test.hub.stats().subscriptions).toBe(1);
    await stream.return(undefined as never);
    test.expectNothingLeft();
  });
});
