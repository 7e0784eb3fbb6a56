// Resume tokens: where a watch goes on, at this replica or another, tied to its range and to the cluster.

import { DomainError } from '../../domain/errors.ts';
import { type KeyRange, spanOf } from '../../domain/key-range.ts';
import { reasonError } from '../checks/errors.ts';
import { seal, unseal } from '../fields/sealed-text.ts';

/** Where a watch goes on. */
export interface ResumePosition {
  /** Everything at or below it was sent. */
  readonly revision: bigint;
  /** Whether a snapshot was not whole yet. */
  readonly isPartial: boolean;
}

const LAYOUT = /^(\d{1,20}) (\d{1,19}) ([01])$/;

/** Writes and reads the tokens of one watch. */
export class ResumeTokens {
  readonly #clusterId: bigint;
  readonly #binding: Uint8Array;

  /** @param purpose what else the watch was called for. */
  constructor(range: KeyRange, clusterId: bigint, purpose = '') {
    const { start, end } = spanOf(range);
    this.#clusterId = clusterId;
    this.#binding = Buffer.concat([
      Buffer.from(`watch ${start.length} ${end === undefined ? 'open' : 'closed'} `),
      start,
      end ?? new Uint8Array(),
      Buffer.from(purpose),
    ]);
  }

  write({ revision, isPartial }: ResumePosition): string {
    return seal(`${this.#clusterId} ${revision} ${Number(isPartial)}`, this.#binding);
  }

  /** Throws RESUME_TOKEN_INVALID. */
  read(token: string): ResumePosition {
    const [, cluster, revision = '', partial] = LAYOUT.exec(unseal(token, this.#binding) ?? '') ?? [];
    if (cluster === undefined) throw invalid('is damaged, or belongs to a watch of another range');
    if (BigInt(cluster) !== this.#clusterId) throw invalid('belongs to another cluster');
    return { revision: BigInt(revision), isPartial: partial === '1' };
  }
}

/** Returns an error with the token to go on at, where it ends a watch that was too slow; any other as it is. */
export function withToken(error: unknown, tokens: ResumeTokens): unknown {
  if (!(error instanceof DomainError) || error.reason !== 'WATCH_TOO_SLOW') return error;
  const revision = BigInt(error.metadata['revision'] ?? 0);
  const resume_token = tokens.write({ revision, isPartial: false });
  return new DomainError(error.reason, error.message, { ...error.metadata, resume_token }, { cause: error });
}

function invalid(what: string) {
  return reasonError('RESUME_TOKEN_INVALID', `The resume token ${what}; start again without it`);
}
