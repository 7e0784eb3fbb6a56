import { randomBytes } from 'node:crypto';

const GIVEN_ID = /^[A-Za-z0-9._-]{1,128}$/;

/** Chooses the id of a request: the caller's own `x-request-id` where it is usable, else a new one. */
export type RequestIds = (given: string | readonly string[] | undefined) => string;

/**
 * Returns a source of request ids.
 *
 * A caller's id is taken if it is 1 to 128 of `A-Z a-z 0-9 . _ -`, so that it can stand in a header and a log line as it is.
 * Ids made here are a random prefix of this process and a counter, which is far cheaper than a UUID for each call.
 */
export function createRequestIds(): RequestIds {
  const prefix = randomBytes(6).toString('base64url');
  let count = 0;
  return (given) => {
    if (typeof given === 'string' && GIVEN_ID.test(given)) return given;
    count += 1;
    return `${prefix}-${count.toString(36)}`;
  };
}
