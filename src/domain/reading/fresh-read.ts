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
export function freshRead<T>(
  read: (serializable: boolean) => Promise<AtRevision<T>>,
  { serializable, minRevision }: Freshness,
): Promise<AtRevision<T>> {
  if (serializable) return readSerializable(read, minRevision);
  return minRevision === 0n ? read(false) : readLinearizable(read, minRevision);
}

async function readSerializable<T>(
  read: (serializable: boolean) => Promise<AtRevision<T>>,
  minRevision: bigint,
): Promise<AtRevision<T>> {
  try {
    const answer = await read(true);
    if (answer.revision >= minRevision) return answer;
  } catch (error) {
    // A member that lags behind calls a revision future that others have reached.
    if (!(error instanceof DomainError && error.reason === 'REVISION_IN_FUTURE')) throw error;
  }
  return readLinearizable(read, minRevision);
}

async function readLinearizable<T>(
  read: (serializable: boolean) => Promise<AtRevision<T>>,
  minRevision: bigint,
): Promise<AtRevision<T>> {
  const answer = await read(false);
  if (answer.revision < minRevision) throw revisionInFuture(minRevision, answer.revision);
  return answer;
}

/** Returns the REVISION_IN_FUTURE error of a caller that names a revision the store, at `head`, has not reached. */
export function revisionInFuture(revision: bigint, head: bigint): DomainError {
  return new DomainError(
    'REVISION_IN_FUTURE',
    `The store is at revision ${head} and has not reached ${revision}; take the revision from an answer of this store`,
    { revision: String(revision), store_revision: String(head) },
  );
}
