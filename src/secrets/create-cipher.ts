// Keeps secrets secret: encrypts configuration at rest, and knows who may read it in the clear.
// Keys and tokens come from the settings, are held in memory only, and are never logged.

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Cipher } from '../domain/config/cipher.ts';

/** A key and the name that values encrypted with it carry. */
export interface SecretKey {
  /** 1 to 32 letters, digits, `_` or `-`. */
  readonly id: string;
  /** 32 bytes. */
  readonly key: Buffer;
}

/** What an encrypted value is made of. */
interface Sealed {
  readonly keyId: string;
  readonly iv: Buffer;
  readonly ciphertext: Buffer;
  readonly tag: Buffer;
}

const ALGORITHM = 'aes-256-gcm';
/** What is random in each value. 96 bits as NIST SP 800-38D, 8.2.2 has it: good for 2^32 values with one key. */
const IV_BYTES = 12;
const TAG_BYTES = 16;
const LAYOUT = 'concord:secret:v1:';
const LAYOUT_BYTES = Buffer.from(LAYOUT);
const KEY_ID = /^[A-Za-z0-9_-]{1,32}$/;
const MAX_KEY_ID_CHARS = 32;

/**
 * Creates a cipher (AES-256-GCM). The first key is the one written with, the others are still read with; their ids are distinct.
 *
 * An encrypted value is text, so that a dump of etcd stays readable: `concord:secret:v1:<key id>:<base64url of IV, ciphertext,
 * tag>`. Its version, its key's id and what it is bound to are authenticated with it: none can be exchanged unnoticed.
 */
export function createCipher(keys: readonly SecretKey[]): Cipher {
  const [current] = keys;
  const keysById = new Map(keys.map(({ id, key }) => [id, key]));
  return {
    currentKeyId: current?.id,
    encrypt(value, boundTo) {
      if (current === undefined) throw new Error('There is no key to encrypt with; set CONCORD_SECRET_KEYS');
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv(ALGORITHM, current.key, iv, { authTagLength: TAG_BYTES });
      cipher.setAAD(additionalData(current.id, boundTo));
      const sealed = Buffer.concat([iv, cipher.update(value), cipher.final(), cipher.getAuthTag()]);
      return Buffer.from(`${LAYOUT}${current.id}:${sealed.toString('base64url')}`);
    },
    decrypt(encrypted, boundTo) {
      const sealed = readSealed(encrypted);
      if (sealed === undefined) return undefined;
      const key = keysById.get(sealed.keyId);
      if (key === undefined) return undefined;
      const decipher = createDecipheriv(ALGORITHM, key, sealed.iv, { authTagLength: TAG_BYTES });
      decipher.setAAD(additionalData(sealed.keyId, boundTo));
      decipher.setAuthTag(sealed.tag);
      const value = decipher.update(sealed.ciphertext);
      try {
        return Buffer.concat([value, decipher.final()]);
      } catch {
        // Thrown for one thing alone: the tag is not that of these bytes, this key and this binding.
        return undefined;
      }
    },
    keyIdOf: (value) => readSealed(value)?.keyId,
  };
}

/** Unambiguous, since no key id holds a colon. */
function additionalData(keyId: string, boundTo: string): Buffer {
  return Buffer.from(`${LAYOUT}${keyId}:${boundTo}`);
}

/** Returns the parts of an encrypted value; undefined: it is none. Most values are none, which their first bytes tell. */
function readSealed(value: Uint8Array): Sealed | undefined {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (!bytes.subarray(0, LAYOUT_BYTES.length).equals(LAYOUT_BYTES)) return undefined;
  const idEnd = bytes
    .subarray(0, LAYOUT_BYTES.length + MAX_KEY_ID_CHARS + 1)
    .indexOf(':', LAYOUT_BYTES.length);
  const keyId = bytes.toString('latin1', LAYOUT_BYTES.length, Math.max(idEnd, LAYOUT_BYTES.length));
  if (!KEY_ID.test(keyId)) return undefined;
  const text = bytes.toString('latin1', idEnd + 1);
  const sealed = Buffer.from(text, 'base64url');
  // Node's reader passes over what is no base64url: only what it would write itself is an encrypted value.
  if (sealed.length < IV_BYTES + TAG_BYTES || sealed.toString('base64url') !== text) return undefined;
  return {
    keyId,
    iv: sealed.subarray(0, IV_BYTES),
    ciphertext: sealed.subarray(IV_BYTES, -TAG_BYTES),
    tag: sealed.subarray(-TAG_BYTES),
  };
}
