import { describe, expect, it } from 'vitest';
import { DomainError } from '../../../src/domain/errors.ts';
import { prefixRange } from '../../../src/domain/key-range.ts';
import { Mirror } from '../../../src/domain/watch/mirror.ts';
import { bytes, text } from './bytes.ts';
import { FakeClock } from './fake-clock.ts';
import { FakeStore } from './fake-store.ts';
import { FakeWatchSource } from './fake-watch-source.ts';
import { settled } from './settled.ts';

const PREFIX = 'm/';
const RETRY_MS = 500;

/** A mirror, and the state that its changes add up to. */
function startMirror(prepare: (store: FakeStore) => void = () => {}) {
  const store = new FakeStore();
  prepare(store);
  const source = new FakeWatchSource(store);
  const clock = new FakeClock();
  const state = new Map<string, string>();
  const changes: string[] = [];
  const syncs: bigint[] = [];
  const mirror = new Mirror({ store, source, clock }, prefixRange(bytes(PREFIX)), {
    changed({ key, kv, previous }) {
      const name = text(key);
      expect(previous && text(previous.value)).toBe(state.get(name));
      changes.push(kv === undefined ? `-${name}` : `${name}=${text(kv.value)}`);
      if (kv === undefined) state.delete(name);
      else state.set(name, text(kv.value));
    },
    synced: (revision) => void syncs.push(revision),
  });
  const tell = async () => {
    source.tellAll();
    await settled();
  };
  return { store, source, clock, mirror, state, changes, syncs, tell };
}

describe('Mirror', () => {
  it('begins with the whole state, of any size, and says when it has it', async () => {
    const { store, mirror, state, syncs } = startMirror((full) => {
      for (let i = 0; i < 2_500; i++) full.put(`${PREFIX}${String(i).padStart(5, '0')}`, String(i));
      full.put('other', 'x');
    });
    expect(mirror.revision).toBe(0n);
    await settled();
    expect(state.size).toBe(2_500);
    expect(syncs).toEqual([store.revision]);
    expect(mirror.revision).toBe(store.revision);
    expect(text(mirror.get(bytes(`${PREFIX}00042`))?.value ?? bytes(''))).toBe('42');
    expect(mirror.get(bytes('other'))).toBeUndefined();
  });

  it('misses nothing that changes while it lists', async () => {
    const { store, state, tell } = startMirror((held) => {
      held.put('m/a', '1');
      held.hold('answer');
    });
    await settled();
    store.put('m/b', '2');
    store.delete('m/a');
    store.letGo('answer');
    await settled();
    await tell();
    expect([...state]).toEqual([['m/b', '2']]);
  });

  it('goes on with each change, at its revision', async () => {
    const { store, mirror, changes, tell } = startMirror((full) => full.put('m/a', '1'));
    await settled();
    store.put('m/b', '2');
    store.put('m/a', '3');
    const revision = store.delete('m/b');
    await tell();
    expect(changes).toEqual(['m/a=1', 'm/b=2', 'm/a=3', '-m/b']);
    expect(mirror.revision).toBe(revision);
    store.put('elsewhere', 'x');
    await tell();
    expect(mirror.revision).toBe(revision + 1n);
  });

  it('lists again where changes were compacted away while it was cut off, and tells the difference', async () => {
    const { store, source, changes, syncs, mirror, tell } = startMirror((full) => {
      for (const name of ['gone', 'same', 'changed', 'anew']) full.put(`m/${name}`, '1');
    });
    await settled();
    const before = changes.length;
    for (const watch of source.watches) watch.cut();
    store.delete('m/gone');
    store.put('m/changed', '2');
    store.delete('m/anew');
    store.put('m/anew', '1');
    store.put('m/came', '1');
    store.put('m/blink', '1');
    store.delete('m/blink');
    store.compact(store.revision);
    for (const watch of source.watches) watch.reconnect();
    await tell();
    expect(changes.slice(before).sort()).toEqual(['-m/gone', 'm/anew=1', 'm/came=1', 'm/changed=2']);
    expect(syncs.at(-1)).toBe(store.revision);
    store.put('m/later', '1');
    await tell();
    expect(changes.at(-1)).toBe('m/later=1');
    expect(mirror.revision).toBe(store.revision);
    expect(source.watches).toHaveLength(1);
  });

  it('tries again while the store does not answer', async () => {
    const { store, clock, syncs, state } = startMirror((full) => {
      full.put('m/a', '1');
      full.isFailing = true;
    });
    for (let tries = 0; tries < 5; tries++) {
      await settled();
      clock.advance(RETRY_MS);
    }
    await settled();
    expect(syncs).toEqual([]);
    store.isFailing = false;
    clock.advance(RETRY_MS);
    await settled();
    expect([...state]).toEqual([['m/a', '1']]);
  });

  it('opens another watch where one failed, though not at once: it may fail again', async () => {
    const { store, source, clock, state, tell } = startMirror();
    await settled();
    for (let failures = 1; failures <= 5; failures++) {
      source.watches[0]?.fail(new DomainError('STORE_PERMISSION_DENIED', 'Not allowed'));
      await settled();
      expect(source.watches).toHaveLength(0);
      clock.advance(RETRY_MS);
      await settled();
      expect(source.openedCount).toBe(1 + failures);
    }
    store.put('m/a', '1');
    await tell();
    expect([...state]).toEqual([['m/a', '1']]);
  });

  it.each(['listing', 'watching', 'waiting'])('is silent once it is disposed, while %s', async (when) => {
    const { store, source, clock, mirror, changes } = startMirror((full) => {
      full.put('m/a', '1');
      if (when === 'listing') full.hold('answer');
      if (when === 'waiting') full.isFailing = true;
    });
    await settled();
    const before = changes.length;
    mirror[Symbol.dispose]();
    store.isFailing = false;
    store.letGo('answer');
    store.put('m/b', '1');
    clock.advance(10 * RETRY_MS);
    await settled();
    source.tellAll();
    await settled();
    expect(changes).toHaveLength(before);
    expect(source.watches).toHaveLength(0);
    expect(clock.pendingTimers).toBe(0);
  });
});
