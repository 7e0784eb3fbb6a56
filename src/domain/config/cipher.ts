// Encrypting values at rest. Src/secrets implements the port.

/** Encrypts and decrypts secret values, each with a key that has an id. */
export interface Cipher {
  /** The id of the key that is written with; undefined: there is none, and no secret can be written. */
  readonly currentKeyId: string | undefined;
  /** Encrypts under the current key; `boundTo` must be the same when it is decrypted. Throws where there is no key. */
  encrypt(value: Uint8Array, boundTo: string): Uint8Array;
  /** Returns the value; undefined where its key is not known here, or it is damaged, or bound to something else. */
  decrypt(encrypted: Uint8Array, boundTo: string): Uint8Array | undefined;
  /** Returns the id of the key that a value is encrypted with; undefined: it is not encrypted. */
  keyIdOf(value: Uint8Array): string | undefined;
}
