import { describe, expect, it } from 'vitest';
import type { ConfigItem } from '../../../src/domain/config/config-item.ts';
import { changesBetween, itemOfVersion, pairsOf } from '../../../src/domain/config/diff.ts';
import { createVault } from '../../../src/domain/config/vault.ts';
import { createCipher } from '../../../src/secrets/create-cipher.ts';
import { someItem, someRecord } from './some-item.ts';

const vault = createVault(createCipher([{ id: 'k1', key: Buffer.alloc(32, 1) }]));
const other = createVault(createCipher([{ id: 'k2', key: Buffer.alloc(32, 2) }]));

function secret(key: string, value: string, by = vault): ConfigItem {
  const item = someItem(key, value, { isSecret: true });
  return { ...item, value: by.store(item, item.value, true) };
}

function between(from: readonly ConfigItem[], to: readonly ConfigItem[]) {
  const byKey = (items: readonly ConfigItem[]) => new Map(items.map((item) => [item.key, item]));
  return changesBetween(pairsOf(byKey(from), byKey(to)), vault);
}

describe('what would have to change for one state to be as another', () => {
  it('is nothing where values, content types and secrecy are the same', () => {
    const later = { version: 7, author: 'ann', comment: 'x', updateWallMs: 1, revision: 9n };
    expect(between([], [])).toEqual([]);
    expect(between([someItem('a', '1')], [someItem('a', '1', later)])).toEqual([]);
    expect(between([someItem('a', '1')], [someItem('a', '1', { profile: 'prod' })])).toEqual([]);
  });

  it('is told in the order of the keys, with what was and what is', () => {
    const [a, b1, b2, c] = [someItem('a', '1'), someItem('b', '1'), someItem('b', '2'), someItem('c', '3')];
    expect(between([c, b1], [a, b2])).toEqual([
      { type: 'created', item: a, previous: undefined },
      { type: 'updated', item: b2, previous: b1 },
      { type: 'deleted', item: { ...c, value: new Uint8Array() }, previous: c },
    ]);
  });

  it('is an update where only the content type or the secrecy differs', () => {
    const item = someItem('a', '1');
    expect(between([item], [{ ...item, contentType: 'number' }])).toMatchObject([{ type: 'updated' }]);
    expect(between([item], [secret('a', '1')])).toMatchObject([{ type: 'updated' }]);
  });

  it('is not that a secret was encrypted again', () => {
    expect(secret('a', '1').value).not.toEqual(secret('a', '1').value);
    expect(between([secret('a', '1')], [secret('a', '1')])).toEqual([]);
    expect(between([secret('a', '1')], [secret('a', '2')])).toMatchObject([{ type: 'updated' }]);
  });

  it('is an update where nobody here can tell', () => {
    const unknown = secret('a', '1', other);
    expect(between([unknown], [unknown])).toMatchObject([{ type: 'updated' }]);
  });
});

describe('the item of a version', () => {
  it('is none where the version is a deletion', () => {
    const { valueRevision, ...says } = someRecord();
    const name = { application: 'app', profile: 'default', key: 'a' };
    const version = { ...says, name, value: Buffer.from('1'), revision: 5n };
    expect(itemOfVersion(version)).toMatchObject({ ...name, value: Buffer.from('1'), revision: 5n });
    expect(itemOfVersion({ ...version, isDeleted: true })).toBeUndefined();
  });
});
