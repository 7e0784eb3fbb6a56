import { createHash, timingSafeEqual } from 'node:crypto';

const CREDENTIALS = /^(bearer|basic) +(\S+)$/i;

/**
 * Returns what tells, by the Authorization header of a request, whether its caller may read secrets: it shows one of the tokens as a
 * bearer token (RFC 6750), or as the password of any user (RFC 7617), which is how clients of Spring Cloud Config send it.
 *
 * How long it takes says nothing of the tokens. Without tokens nobody may.
 */
export function createSecretReaders(
  tokens: readonly string[],
): (authorizationHeader: string | undefined) => boolean {
  const digests = tokens.map(digestOf);
  return (authorizationHeader) => {
    const shown = tokenOf(authorizationHeader);
    if (shown === undefined) return false;
    const digest = digestOf(shown);
    // Filtered, not searched: each is compared, whichever it is.
    return digests.filter((each) => timingSafeEqual(each, digest)).length > 0;
  };
}

function tokenOf(header: string | undefined): string | undefined {
  const [, scheme = '', credentials = ''] = CREDENTIALS.exec(header ?? '') ?? [];
  switch (scheme.toLowerCase()) {
    case 'bearer':
      return credentials;
    case 'basic':
      return passwordOf(credentials);
    default:
      return undefined;
  }
}

/** A user's name has no colon, a password may have some. */
function passwordOf(credentials: string): string | undefined {
  const userAndPassword = Buffer.from(credentials, 'base64').toString();
  const colon = userAndPassword.indexOf(':');
  return colon < 0 ? undefined : userAndPassword.slice(colon + 1);
}

/** Of one length whatever the token's, as a comparison in constant time needs it. */
function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
