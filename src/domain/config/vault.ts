// Secrets between the store, where they are encrypted, and those who may see them.

import { DomainError } from '../errors.ts';
import type { Cipher } from './cipher.ts';
import { type ConfigItem, type ItemName, itemId } from './config-item.ts';

/** A value, as it is shown; undefined: it is redacted. */
export type Shown<T> = Omit<T, 'value'> & { readonly value: Uint8Array | undefined };

/** An item, as it is shown. */
export type ShownItem = Shown<ConfigItem>;

/** Encrypts what is stored, and decides what is shown. */
export interface Vault {
  /** Returns what to store for a value. Throws SECRET_KEY_UNKNOWN where it is secret and there is no key. */
  store(name: ItemName, value: Uint8Array, isSecret: boolean): Uint8Array;
  /** Returns whether something is encrypted. */
  isEncrypted(stored: Uint8Array): boolean;
  /** Returns the value of what is stored; undefined: its key is not known here. */
  open(name: ItemName, stored: Uint8Array, isSecret: boolean): Uint8Array | undefined;
  /** Returns the value of what is stored. Throws SECRET_KEY_UNKNOWN. */
  require(name: ItemName, stored: Uint8Array, isSecret: boolean): Uint8Array;
  /** Shows something; a secret is redacted, unless it is to be revealed and can be. */
  show<T extends { readonly value: Uint8Array; readonly isSecret: boolean }>(
    name: ItemName,
    what: T,
    reveal: boolean,
  ): Shown<T>;
}

/** Creates it on a cipher. */
export function createVault(cipher: Cipher): Vault {
  function open(name: ItemName, stored: Uint8Array, isSecret: boolean): Uint8Array | undefined {
    // What another etcd client wrote over a secret is not encrypted.
    if (!isSecret || cipher.keyIdOf(stored) === undefined) return stored;
    return cipher.decrypt(stored, itemId(name));
  }

  return {
    open,
    isEncrypted: (stored) => cipher.keyIdOf(stored) !== undefined,
    store(name, value, isSecret) {
      if (!isSecret) return value;
      if (cipher.currentKeyId === undefined)
        throw keyUnknown('There is no key to encrypt a secret with; set CONCORD_SECRET_KEYS', undefined);
      return cipher.encrypt(value, itemId(name));
    },
    require(name, stored, isSecret) {
      const value = open(name, stored, isSecret);
      if (value !== undefined) return value;
      const keyId = cipher.keyIdOf(stored);
      throw keyUnknown('The key that a secret is encrypted with is not among CONCORD_SECRET_KEYS', keyId);
    },
    show(name, what, reveal) {
      if (!what.isSecret) return what;
      return { ...what, value: reveal ? open(name, what.value, true) : undefined };
    },
  };
}

function keyUnknown(message: string, keyId: string | undefined): DomainError {
  return new DomainError('SECRET_KEY_UNKNOWN', message, keyId === undefined ? {} : { key_id: keyId });
}
