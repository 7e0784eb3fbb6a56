// Resume tokens of sessions: which lease a stream kept, tied to what it kept it for.

import type { SessionToResume } from '../../domain/session/sessions.ts';
import { reasonError } from '../checks/errors.ts';
import { seal, unseal } from './sealed-text.ts';

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
  const [, leaseId, openRevision] = LAYOUT.exec(unseal(token, bindingOf(purpose)) ?? '') ?? [];
  if (leaseId === undefined || openRevision === undefined) {
    throw reasonError(
      'RESUME_TOKEN_INVALID',
      'The resume token is damaged, or belongs to another call; start again without it',
    );
  }
  return { leaseId: BigInt(leaseId), openRevision: BigInt(openRevision) };
}

function bindingOf(purpose: readonly string[]): Uint8Array {
  return Buffer.from(JSON.stringify(['session', ...purpose]));
}
