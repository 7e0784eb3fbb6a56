import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { ConfigItem } from '../../../src/domain/config/config-item.ts';
import { createVault } from '../../../src/domain/config/vault.ts';
import { createItemMessages } from '../../../src/rpc/config/item-messages.ts';
import { createCipher } from '../../../src/secrets/create-cipher.ts';
import { someItem } from './some-item.ts';

const vault = createVault(createCipher([{ id: 'a', key: randomBytes(32) }]));

function someSecret(text: string): ConfigItem {
  const item = someItem('password', '', { isSecret: true });
  return { ...item, value: vault.store(item, Buffer.from(text), true) };
}

describe('the messages of items', () => {
  it('are the same object each time for the same item, and others for another', () => {
    const messages = createItemMessages(vault);
    const item = someItem('port', '80');
    expect(messages.item(item, false)).toBe(messages.item(item, false));
    expect(messages.item(item, false)).toMatchObject({ key: 'port', value: '80' });
    expect(messages.item(someItem('port', '81', { version: 2 }), false)).toMatchObject({ value: '81' });
  });

  it('hide a secret from one caller that was revealed to another, and the other way round', () => {
    const messages = createItemMessages(vault);
    const secret = someSecret('hunter2');
    const resolved = { item: secret, hidden: [secret] };
    for (const isRevealed of [false, true, false, true]) {
      const shown = { value: isRevealed ? 'hunter2' : '', redacted: !isRevealed };
      expect(messages.item(secret, isRevealed)).toMatchObject(shown);
      expect(messages.resolved(resolved, isRevealed)).toMatchObject({ item: shown, hidden: [shown] });
      const change = { type: 'updated', item: secret, previous: secret } as const;
      expect(messages.change(change, isRevealed)).toMatchObject({ item: shown, previous: shown });
    }
  });

  it('say the same of values of any size', () => {
    const messages = createItemMessages(vault);
    for (const bytes of [0, 4_096, 4_097, 100_000]) {
      const item = someItem('text', 'x'.repeat(bytes));
      for (const _ of [1, 2]) expect(messages.item(item, false).value).toHaveLength(bytes);
      const resolved = messages.resolved({ item, hidden: [item] }, false);
      expect(resolved).toMatchObject({ item: { key: 'text' }, hidden: [{ key: 'text' }] });
    }
  });
});
