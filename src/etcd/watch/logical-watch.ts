// A watch as its owner knows it: a range and a position, whichever stream carries it at the moment.

import type { DomainError } from '../../domain/errors.ts';
import type { KeyRange } from '../../domain/key-range.ts';
import type { StoreEvent, WatchSink } from '../../domain/store.ts';

/**
 * The position moves by what was delivered and by progress notices, never by anything else, and never into the middle of a revision.
 * What comes twice after a connection was made anew is dropped.
 */
export class LogicalWatch {
  readonly range: KeyRange;
  #sink: WatchSink | undefined;
  #nextRevision: bigint;

  constructor(range: KeyRange, fromRevision: bigint, sink: WatchSink) {
    this.range = range;
    this.#nextRevision = fromRevision;
    this.#sink = sink;
  }

  /** The first revision whose changes are still to come. */
  get nextRevision(): bigint {
    return this.#nextRevision;
  }

  deliver(revision: bigint, events: readonly StoreEvent[]): void {
    if (revision < this.#nextRevision) return;
    this.#nextRevision = revision + 1n;
    this.#sink?.events(revision, events);
  }

  progress(revision: bigint): void {
    if (revision < this.#nextRevision) return;
    this.#nextRevision = revision + 1n;
    this.#sink?.progress(revision);
  }

  /** Tells the sink, and nothing more after it. */
  compacted(): void {
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.compacted();
  }

  /** Tells the sink, and nothing more after it. */
  failed(error: DomainError): void {
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.failed(error);
  }

  /** Tells the sink nothing more. */
  close(): void {
    this.#sink = undefined;
  }
}
