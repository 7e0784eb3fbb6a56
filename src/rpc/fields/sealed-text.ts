// Opaque tokens: a short text, tied to what it was made for, so that one that is damaged or used elsewhere is found out.
// Nothing in them is secret, and who forges one gains nothing: every call is checked as if it came without.

import { createHash } from 'node:crypto';

const DIGEST_BYTES = 9;

/** Returns the token for a text. `binding` is what it is tied to. */
export function seal(text: string, binding: Uint8Array): string {
  const payload = Buffer.from(text, 'latin1');
  return Buffer.concat([digest(binding, payload), payload]).toString('base64url');
}

/** Returns the text of a token, or undefined where it was not made for `binding`. */
export function unseal(token: string, binding: Uint8Array): string | undefined {
  const bytes = Buffer.from(token, 'base64url');
  // What is not of the alphabet was skipped.
  if (bytes.toString('base64url') !== token) return undefined;
  const payload = bytes.subarray(DIGEST_BYTES);
  const isWhole = digest(binding, payload).equals(bytes.subarray(0, DIGEST_BYTES));
  return isWhole ? payload.toString('latin1') : undefined;
}

function digest(binding: Uint8Array, payload: Uint8Array): Buffer {
  return createHash('sha256').update(binding).update(payload).digest().subarray(0, DIGEST_BYTES);
}
