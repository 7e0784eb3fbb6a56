// Reads that are as fresh as their caller asks.

import { DomainError } from '../errors.ts';
import type { AtRevision } from '../store.ts';

/** How fresh an answer must be. */
export interface Freshness {
  /** Whether one member may answer by itself. */
  readonly serializable: boolean;
  /** The answer is no older than this; 0n: no bound. */
  readonly minRevision: bigint;
}

/**
 * Reads with `read`, serializable first where the caller allows it, and again linearizable where that answer is too old.
 *
 * Rejects with REVISION_IN_FUTURE where the store itself has not reached `minRevision`, and as `read` does.
 */
export async function freshRead<T>(
  read: (serializable: boolean) => Promise<AtRevision<T>>,
  { serializable, minRevision }: Freshness,
): Promise<AtRevision<T>> {
  if (serializable) {
    try {
      const answer = await read(true);
      if (answer.revision >= minRevision) return answer;
    } catch (error) {
      // A member that lags behind calls a revision future that others have reached.
      if (!(error instanceof DomainError && error.reason === 'REVISION_IN_FUTURE')) throw error;
    }
  }
  const answer = await read(false);
  if (answer.revision < minRevision) throw revisionInFuture(minRevision, answer.revision);
  return answer;
}

function revisionInFuture(minRevision: bigint, revision: bigint): DomainError {
  return new DomainError(
    'REVISION_IN_FUTURE',
    `The store is at revision ${revision} and has not reached ${minRevision}; take the revision from an answer of this store`,
    { revision: String(minRevision), store_revision: String(revision) },
  );
}

