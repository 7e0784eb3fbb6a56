// Resume tokens of sessions: which lease a stream kept, tied to what it kept it for.

import type { SessionToResume } from '../../domain/session/sessions.ts';
import { reasonError } from '../checks/errors.ts';
import { seal, unseal } from './sealed-text.ts';

const MAX_INT64 = 2n ** 63n - 1n;
const LAYOUT = /^(\d{1,19}) (\d{1,19})$/;

/** Returns the token of a session. `purpose` is the rpc and what it was called for. */
export function writeSessionToken(
  { leaseId, openRevision }: SessionToResume,
  purpose: readonly string[],
): string {
  return seal(`${leaseId} ${openRevision}`, bindingOf(purpose));
}

/** Returns the session of a token. Throws RESUME_TOKEN_INVALID where it was not made for `purpose`. */
export function readSessionToken(token: string, purpose: readonly string[]): SessionToResume {
  const [, ...numbers] = LAYOUT.exec(unseal(token, bindingOf(purpose)) ?? '') ?? [];
  const [leaseId, openRevision] = numbers.map(BigInt);
  if (leaseId === undefined || openRevision === undefined || leaseId > MAX_INT64) {
    throw reasonError(
      'RESUME_TOKEN_INVALID',
      'The resume token is damaged, or belongs to another call; start again without it',
    );
  }
  return { leaseId, openRevision };
}

function bindingOf(purpose: readonly string[]): Uint8Array {
  return Buffer.from(JSON.stringify(['session', ...purpose]));
}
