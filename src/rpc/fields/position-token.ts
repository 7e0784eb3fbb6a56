// Page tokens of listings that go on behind a name.

import { pageTokenInvalid } from '../../domain/reading/list.ts';
import { seal, unseal } from './sealed-text.ts';

/** Returns the token to go on behind a name; empty where there is nothing more. `binding` is what the listing was asked for. */
export function writePosition(name: string | undefined, binding: Uint8Array): string {
  return name === undefined ? '' : seal(Buffer.from(name).toString('base64url'), binding);
}

/** Returns the name to go on behind; empty: from the beginning. Throws PAGE_TOKEN_INVALID where `binding` did not make the token. */
export function readPosition(pageToken: string, binding: Uint8Array): string {
  if (pageToken === '') return '';
  const text = unseal(pageToken, binding);
  if (text === undefined) throw pageTokenInvalid();
  return Buffer.from(text, 'base64url').toString('utf8');
}
