// A lease that is held as long as a stream is open.

import type { OperationOptions } from '../store.ts';
import { Bell } from './bell.ts';
import type { Session } from './session.ts';
import type { SessionRequest, Sessions, SessionToResume } from './sessions.ts';

/** Which lease: anew, or as a stream that broke did. */
export type HoldLeaseQuery =
  | { readonly kind: 'new'; readonly request: SessionRequest }
  | { readonly kind: 'resume'; readonly session: SessionToResume };

/**
 * Yields the session when it is held, and again when its deadline moved. It ends when its caller stops, and with it the session.
 *
 * It rejects with LEASE_NOT_FOUND, SESSION_NOT_FOUND, SESSION_TAKEN_OVER, and as the store does.
 */
export async function* holdLease(
  sessions: Sessions,
  query: HoldLeaseQuery,
  options: OperationOptions,
): AsyncGenerator<Session, never> {
  const bell = new Bell();
  const onChange = () => bell.ring();
  const session =
    query.kind === 'new'
      ? await sessions.open(query.request, onChange, options)
      : await sessions.resume(query.session, onChange, options);
  let isKnown = query.kind === 'resume';
  try {
    for (;;) {
      await bell.heard(options);
      if (session.over !== undefined) throw session.over;
      isKnown = true;
      yield session;
    }
  } finally {
    await sessions.leave(session, { isKnown });
  }
}
