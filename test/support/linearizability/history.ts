// linearizability: what concurrent clients were told, and whether a store that does one thing after the other could have told them
// that.

/** What a read of one key saw. `revision` is the store's, at which that was true. */
export type Seen =
  | {
      readonly kind: 'found';
      readonly value: string;
      readonly modRevision: bigint;
      readonly version: bigint;
      readonly revision: bigint;
    }
  | { readonly kind: 'missing'; readonly revision: bigint };

/** What became of a write: it happened, its condition did not hold (0n: the key did not exist), or nobody knows. */
export type WriteOutcome =
  | { readonly kind: 'written'; readonly revision: bigint; readonly version: bigint }
  | { readonly kind: 'mismatch'; readonly actualRevision: bigint }
  | { readonly kind: 'unknown' };

/** What became of a deletion. */
export type DeleteOutcome =
  | { readonly kind: 'deleted'; readonly didExist: boolean; readonly revision: bigint }
  | { readonly kind: 'unknown' };

/** A call on one key, and how it ended. A read without an answer, and a write that surely did not happen, tell nothing and are none. */
export type Call =
  | { readonly kind: 'get'; readonly outcome: Seen }
  | {
      readonly kind: 'put';
      readonly value: string;
      /** The condition; undefined: none. 0n: the key must not exist. */
      readonly expectedRevision?: bigint | undefined;
      readonly outcome: WriteOutcome;
    }
  | { readonly kind: 'delete'; readonly outcome: DeleteOutcome };

/** A call at its place in a history. */
export type Operation = Call & {
  readonly client: number;
  readonly key: string;
  /** When it began, in ticks of the history. */
  readonly calledAt: number;
  /** When its outcome was there. Infinity where that is unknown: it may happen at any time after its call, or never. */
  readonly returnedAt: number;
};

/** Records operations of clients of this process. Every begin and end has a tick of its own. */
export class History {
  readonly operations: Operation[] = [];
  #now = 0;
  #acknowledged = 0;

  /** How many operations have an outcome that is known. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Returns the next tick. */
  tick(): number {
    this.#now += 1;
    return this.#now;
  }

  /** Adds what one request did, which may be several calls on keys at once. It ends now. */
  add(client: number, calledAt: number, calls: readonly (Call & { readonly key: string })[]): void {
    const now = this.tick();
    for (const call of calls) {
      const isUnknown = call.outcome.kind === 'unknown';
      if (!isUnknown) this.#acknowledged += 1;
      const returnedAt = isUnknown ? Number.POSITIVE_INFINITY : now;
      this.operations.push({ ...call, client, calledAt, returnedAt });
    }
  }
}

/** The store's revision that an operation took place at; undefined where its outcome does not tell. */
export function revisionOf({ outcome }: Call): bigint | undefined {
  return outcome.kind === 'unknown' || outcome.kind === 'mismatch' ? undefined : outcome.revision;
}
