import { describe, expect, it } from 'vitest';
import { prefixRange, singleKey } from '../../../src/domain/key-range.ts';
import type { KeyValue } from '../../../src/domain/store.ts';
import { type Change, goneKey } from '../../../src/domain/watch/change.ts';
import { createView, type ViewOptions } from '../../../src/domain/watch/view.ts';
import { bytes, text } from './bytes.ts';

const EVERYTHING = prefixRange(bytes(''));

function kv(key: string, value: string, modRevision = 2n): KeyValue {
  return { key: bytes(key), value: bytes(value), createRevision: 1n, modRevision, version: 1n, leaseId: 0n };
}

const changes: readonly Change[] = [
  { type: 'created', kv: kv('a/new', 'x'), previous: undefined },
  { type: 'updated', kv: kv('a/changed', 'y'), previous: kv('a/changed', 'x', 1n) },
  { type: 'updated', kv: kv('a/same', 'x'), previous: kv('a/same', 'x', 1n) },
  { type: 'updated', kv: kv('b/unknown', 'x'), previous: undefined },
  { type: 'deleted', kv: goneKey(bytes('b/deleted'), 2n), previous: kv('b/deleted', 'x', 1n) },
  { type: 'expired', kv: goneKey(bytes('b/c/expired'), 2n), previous: undefined },
];

function seen(options: Partial<ViewOptions>): readonly string[] | undefined {
  const selected = createView({ range: EVERYTHING, ...options }).select(changes);
  return selected?.map((change) => text(change.kv.key).replace(/.*\//, ''));
}

describe('createView', () => {
  it.each<[Partial<ViewOptions>, readonly string[] | undefined]>([
    [{}, ['new', 'changed', 'same', 'unknown', 'deleted', 'expired']],
    [{ changes: 'puts' }, ['new', 'changed', 'same', 'unknown']],
    [{ changes: 'deletes' }, ['deleted', 'expired']],
    [{ changedOnly: true }, ['new', 'changed', 'unknown', 'deleted', 'expired']],
    [{ range: prefixRange(bytes('a/')) }, ['new', 'changed', 'same']],
    [{ range: singleKey(bytes('a/same')) }, ['same']],
    [{ range: singleKey(bytes('a/same')), changedOnly: true }, undefined],
    [{ range: singleKey(bytes('c')) }, undefined],
    [{ glob: 'b/*' }, ['unknown', 'deleted']],
    [{ glob: '**/*e*', changes: 'deletes' }, ['deleted', 'expired']],
  ])('shows with %o only %o', (options, expected) => {
    expect(seen(options)).toEqual(expected);
  });

  it('shows what a key held before only where it is asked for, and values too', () => {
    const shown = (options: Partial<ViewOptions>) => {
      const [, change] = createView({ range: EVERYTHING, ...options }).select(changes) ?? [];
      const { previous } = change ?? {};
      return [change && text(change.kv.value), previous && text(previous.value)];
    };
    expect(shown({})).toEqual(['y', undefined]);
    expect(shown({ returnPrevious: true })).toEqual(['y', 'x']);
    expect(shown({ keysOnly: true })).toEqual(['', undefined]);
    expect(shown({ keysOnly: true, returnPrevious: true })).toEqual(['', '']);
  });

  it('compares values even where it leaves them out', () => {
    expect(seen({ keysOnly: true, changedOnly: true })).not.toContain('same');
    expect(seen({ keysOnly: true, changedOnly: true })).toContain('changed');
  });

  it('shows the keys of a snapshot that match, whatever changes it shows', () => {
    const kvs = [kv('a/1', 'x'), kv('a/b/1', 'x')];
    const view = createView({ range: EVERYTHING, glob: 'a/*', keysOnly: true, changes: 'deletes' });
    expect(view.selectKeys(kvs)).toEqual([{ ...kv('a/1', 'x'), value: new Uint8Array() }]);
  });

  it('has a glob see a key as it is, a byte order mark too', () => {
    const key = '\u{feff}a';
    const change: Change = { type: 'created', kv: kv(key, 'x'), previous: undefined };
    expect(createView({ range: EVERYTHING, glob: key }).select([change])).toBeDefined();
    expect(createView({ range: EVERYTHING, glob: 'a' }).select([change])).toBeUndefined();
  });

  it('has one id for equal choices, and another for every other', () => {
    const choices: readonly ViewOptions[] = [
      { range: EVERYTHING },
      { range: prefixRange(bytes('a')) },
      { range: singleKey(bytes('a')) },
      { range: { kind: 'range', start: bytes('a'), end: undefined } },
      { range: { kind: 'range', start: bytes('a'), end: bytes('a","b') } },
      { range: EVERYTHING, changes: 'puts' },
      { range: EVERYTHING, changes: 'deletes' },
      { range: EVERYTHING, glob: '*' },
      { range: EVERYTHING, glob: '**' },
      { range: EVERYTHING, keysOnly: true },
      { range: EVERYTHING, changedOnly: true },
      { range: EVERYTHING, returnPrevious: true },
    ];
    expect(new Set(choices.map((choice) => createView(choice).id)).size).toBe(choices.length);
    for (const choice of choices) expect(createView(choice).id).toBe(createView({ ...choice }).id);
  });
});
