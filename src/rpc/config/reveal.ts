import type { HandlerContext } from '@connectrpc/connect';
import { reasonError } from '../checks/errors.ts';

/** Returns whether a caller asks to see secrets. Throws SECRET_ACCESS_DENIED where it may not. */
export type Reveal = (
  request: { readonly revealSecrets: boolean },
  context: Pick<HandlerContext, 'requestHeader'>,
) => boolean;

/** Creates the check; `mayReadSecrets` says what an `authorization` header lets its sender do. */
export function createReveal(mayReadSecrets: (authorization: string | undefined) => boolean): Reveal {
  return ({ revealSecrets }, context) => {
    if (revealSecrets && !mayReadSecrets(context.requestHeader.get('authorization') ?? undefined)) {
      throw reasonError(
        'SECRET_ACCESS_DENIED',
        'The caller may not see secrets; show one of the gateway’s CONCORD_SECRET_TOKENS as a bearer token',
      );
    }
    return revealSecrets;
  };
}
