// The token that etcd wants with each call where authentication is on: fetched once for all, and again when it is refused.

import { Metadata } from '@grpc/grpc-js';
import type { Member } from './member.ts';
import type { StatusError } from './status.ts';

/** A user of etcd. */
export interface EtcdUser {
  readonly username: string;
  readonly password: string;
}

/** What goes with calls, or why there is nothing. */
export type Token = Credentials | { readonly kind: 'failed'; readonly error: StatusError };

/** The metadata of one token. */
export interface Credentials {
  readonly kind: 'ok';
  /** For calls that need a leader: a member that lost its own says so at once, instead of after 7 s. */
  readonly metadata: Metadata;
  /** For serializable reads, which a member answers without a leader too. */
  readonly anyMember: Metadata;
}

/** Gives calls their metadata. */
export interface Authenticator {
  /** Returns the metadata of the current token; fetches one, from the first of `members` that answers, where there is none. */
  token(members: readonly Member[], deadline: number): Promise<Token>;
  /** Forgets a token that was refused; one that another call already replaced stays. */
  discard(metadata: Metadata): void;
}

const FETCH_TIMEOUT_MS = 2_000;

/** Creates an authenticator; without a user there is no token, and calls carry only etcd's demand for a leader. */
export function createAuthenticator(user: EtcdUser | undefined): Authenticator {
  const anonymous = credentials({});
  let current: Promise<Token> | undefined;
  /** The metadata of the token in `current`, once it is there. */
  let held: Metadata | undefined;

  async function fetch(user: EtcdUser, members: readonly Member[], deadline: number): Promise<Token> {
    let failed: Extract<Token, { kind: 'failed' }> | undefined;
    for (const member of members) {
      const answer = await member.call<{ readonly token: string }>(
        'Auth',
        'authenticate',
        { name: user.username, password: user.password },
        {
          metadata: anonymous.metadata,
          deadline: Math.min(deadline, Date.now() + FETCH_TIMEOUT_MS),
          cancellation: undefined,
        },
      );
      if (answer.kind === 'ok') {
        const fetched = credentials({ token: answer.value.token });
        held = fetched.metadata;
        return fetched;
      }
      failed = answer;
    }
    current = undefined;
    return failed ?? anonymous;
  }

  return {
    async token(members, deadline) {
      if (user === undefined) return anonymous;
      current ??= fetch(user, members, deadline);
      return current;
    },
    discard(metadata) {
      if (metadata !== held) return;
      held = undefined;
      current = undefined;
    },
  };
}

function credentials(fields: Readonly<Record<string, string>>): Credentials {
  return {
    kind: 'ok',
    metadata: Metadata.fromHttp2Headers({ ...fields, hasleader: 'true' }),
    anyMember: Metadata.fromHttp2Headers(fields),
  };
}
