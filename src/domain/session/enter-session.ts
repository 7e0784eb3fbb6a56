import type { OperationOptions } from '../store.ts';
import type { Session } from './session.ts';
import type { Sessions, SessionToResume } from './sessions.ts';

/** How a stream begins: anew, on a lease of its own, or as one that broke did. */
export type SessionStart =
  | { readonly kind: 'new'; readonly ttlSeconds: bigint; readonly graceMs: number }
  | { readonly kind: 'resume'; readonly session: SessionToResume };

/** Opens or resumes the session of a stream; see {@link Sessions}. */
export function enterSession(
  sessions: Sessions,
  start: SessionStart,
  onChange: () => void,
  options: OperationOptions,
): Promise<Session> {
  if (start.kind === 'resume') return sessions.resume(start.session, onChange, options);
  const { ttlSeconds, graceMs } = start;
  return sessions.open({ lease: { kind: 'new', ttlSeconds }, graceMs }, onChange, options);
}
