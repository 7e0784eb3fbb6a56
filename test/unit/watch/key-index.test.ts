import { describe, expect, it } from 'vitest';
import { prefixRange } from '../../../src/domain/key-range.ts';
import { type Change, changeOf } from '../../../src/domain/watch/change.ts';
import { KeyIndex } from '../../../src/domain/watch/key-index.ts';
import { bytes, text } from './bytes.ts';
import { FakeStore } from './fake-store.ts';
import { settled } from './settled.ts';

const RANGE = { ...prefixRange(bytes('k')), kind: 'range' as const, start: bytes('k'), end: bytes('l') };
const NO_LEASES: ReadonlySet<bigint> = new Set();

/** The changes of the store after a revision, as a channel applies them. */
function changesAfter(store: FakeStore, revision: bigint): readonly Change[] {
  const commits = store.commitsBetween(revision, store.revision);
  return commits.flatMap(({ events }) => events.map((event) => changeOf(event, NO_LEASES)));
}

function load(store: FakeStore, { maxKeys = 100, revision = store.revision } = {}) {
  const index = new KeyIndex(RANGE, maxKeys);
  const loaded = index.load(store, revision, new AbortController());
  return { index, loaded };
}

async function differenceOf(index: KeyIndex, store: FakeStore): Promise<readonly string[]> {
  const changes = await index.differenceTo(store, store.revision, new AbortController());
  return changes.map(({ type, kv }) => `${type} ${text(kv.key)}=${text(kv.value)}`).sort();
}

describe('KeyIndex', () => {
  it('tells exactly what changed since it was loaded', async () => {
    const store = new FakeStore();
    for (const key of ['k1', 'k2', 'k3', 'other']) store.put(key, 'x');
    const { index, loaded } = load(store);
    await loaded;
    expect(index.isWhole).toBe(true);
    store.put('k1', 'y');
    store.delete('k2');
    store.put('k4', 'z');
    store.put('k5', 'z');
    store.delete('k5');
    store.delete('k3');
    store.put('k3', 'again');
    store.put('other', 'y');
    expect(await differenceOf(index, store)).toEqual([
      'created k4=z',
      'deleted k2=',
      'updated k1=y',
      'updated k3=again',
    ]);
    expect(await differenceOf(index, store)).toEqual([]);
  });

  it('tells what changed since the last change that it followed', async () => {
    const store = new FakeStore();
    store.put('k1', 'x');
    const { index, loaded } = load(store);
    await loaded;
    const { revision } = store;
    store.put('k1', 'y');
    store.put('k2', 'x');
    store.put('k3', 'x');
    store.delete('k3');
    index.apply(changesAfter(store, revision));
    store.put('k2', 'y');
    expect(await differenceOf(index, store)).toEqual(['updated k2=y']);
  });

  it('follows changes that come while it is loaded', async () => {
    const store = new FakeStore();
    for (const key of ['k1', 'k2', 'k3']) store.put(key, 'x');
    store.hold('answer');
    const { index, loaded } = load(store);
    const { revision } = store;
    store.put('k1', 'y');
    store.delete('k2');
    store.put('k4', 'x');
    store.put('k5', 'x');
    store.delete('k5');
    index.apply(changesAfter(store, revision));
    expect(index.isWhole).toBe(false);
    store.letGo('answer');
    await loaded;
    expect(index.isWhole).toBe(true);
    expect(await differenceOf(index, store)).toEqual([]);
  });

  it('is loaded as the keys were at its revision', async () => {
    const store = new FakeStore();
    store.put('k1', 'x');
    store.put('k2', 'x');
    const { index, loaded } = load(store, { revision: 2n });
    await loaded;
    expect(await differenceOf(index, store)).toEqual(['created k2=x']);
  });

  it('is whole at once before the first revision', async () => {
    const store = new FakeStore();
    const { index, loaded } = load(store, { revision: 0n });
    await loaded;
    expect([index.isWhole, store.reads]).toEqual([true, 0]);
  });

  it('reads more keys than fit into one answer', async () => {
    const COUNT = 2_500;
    const store = new FakeStore();
    const writes = Array.from(
      { length: COUNT },
      (_, i) => ({ kind: 'put', key: `k${i}`, value: 'x' }) as const,
    );
    store.commit(writes);
    const { index, loaded } = load(store, { maxKeys: COUNT });
    await loaded;
    expect(index.isWhole).toBe(true);
    store.put('k7', 'y');
    expect(await differenceOf(index, store)).toEqual(['updated k7=y']);
  });

  it('reads the values of a difference in parts as small as the store answers', async () => {
    const store = new FakeStore();
    const { index, loaded } = load(store);
    await loaded;
    const keys = Array.from({ length: 90 }, (_, i) => `k${i}`);
    for (const key of keys) store.put(key, 'x'.repeat(100));
    store.maxAnswerBytes = 1_000;
    const changes = await differenceOf(index, store);
    expect(changes.length).toBe(keys.length);
    expect(new Set(changes)).toEqual(new Set(keys.map((key) => `created ${key}=${'x'.repeat(100)}`)));
  });

  it('gives up where there are more keys than it may hold', async () => {
    const store = new FakeStore();
    for (const key of ['k1', 'k2', 'k3']) store.put(key, 'x');
    const few = load(store, { maxKeys: 2 });
    const enough = load(store, { maxKeys: 3 });
    await Promise.all([few.loaded, enough.loaded]);
    expect([few.index.isWhole, enough.index.isWhole]).toEqual([false, true]);
    const { revision } = store;
    store.put('k4', 'x');
    enough.index.apply(changesAfter(store, revision));
    expect(enough.index.isWhole).toBe(false);
  });

  it('stays given up where too many keys came while it was loaded', async () => {
    const store = new FakeStore();
    store.put('k1', 'x');
    store.hold('answer');
    const { index, loaded } = load(store, { maxKeys: 2 });
    const { revision } = store;
    for (const key of ['k2', 'k3', 'k4']) store.put(key, 'x');
    index.apply(changesAfter(store, revision));
    store.letGo('answer');
    await loaded;
    expect(index.isWhole).toBe(false);
  });

  it.each(['failing', 'compacted', 'closed'])(
    'gives up where the store cannot be read: %s',
    async (cause) => {
      const store = new FakeStore();
      store.put('k1', 'x');
      store.put('k1', 'y');
      store.isFailing = cause === 'failing';
      if (cause === 'compacted') store.compact(3n);
      const controller = new AbortController();
      const index = new KeyIndex(RANGE, 10);
      store.hold('read');
      const loaded = index.load(store, 2n, controller);
      if (cause === 'closed') controller.abort();
      else store.letGo('read');
      await loaded;
      await settled();
      expect(index.isWhole).toBe(false);
    },
  );

  it('stays as it was where a difference could not be read', async () => {
    const store = new FakeStore();
    store.put('k1', 'x');
    const { index, loaded } = load(store);
    await loaded;
    store.put('k2', 'x');
    store.isFailing = true;
    await expect(differenceOf(index, store)).rejects.toMatchObject({ reason: 'STORE_UNAVAILABLE' });
    store.isFailing = false;
    expect(await differenceOf(index, store)).toEqual(['created k2=x']);
  });
});
