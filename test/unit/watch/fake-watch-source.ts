// Watches of a fake store that tell what a test lets them, and when.

import type { DomainError } from '../../../src/domain/errors.ts';
import { contains } from '../../../src/domain/key-range.ts';
import type {
  StoreEvent,
  Upstream,
  WatchRequest,
  WatchSink,
  WatchSource,
} from '../../../src/domain/store.ts';
import type { FakeStore } from './fake-store.ts';

/** A source whose watches are silent until a test has them tell. */
export class FakeWatchSource implements WatchSource {
  readonly #store: FakeStore;
  readonly #open = new Set<FakeWatch>();
  /** How many were ever opened. */
  openedCount = 0;

  constructor(store: FakeStore) {
    this.#store = store;
  }

  /** The open watches, oldest first. */
  get watches(): readonly FakeWatch[] {
    return [...this.#open];
  }

  open(request: WatchRequest, sink: WatchSink): Upstream {
    this.openedCount += 1;
    const watch = new FakeWatch(this.#store, request, sink, () => this.#open.delete(watch));
    this.#open.add(watch);
    return watch;
  }

  clusterId(): Promise<bigint> {
    return Promise.resolve(1n);
  }

  /** Has every watch tell all that there is, and how far it is. */
  tellAll(): void {
    for (const watch of this.#open) {
      watch.tell();
      watch.tellProgress();
    }
  }
}

/** One watch. States: open → (cut ⇄ open) → over (closed, compacted or failed). */
export class FakeWatch implements Upstream {
  readonly request: WatchRequest;
  readonly #store: FakeStore;
  readonly #sink: WatchSink;
  readonly #left: () => void;
  /** The first revision that the sink was not told of; a watch that was cut goes on from there. */
  #nextRevision: bigint;
  /** The first revision that the store has not looked at for this watch. */
  #cursor: bigint;
  #isOver = false;
  isCut = false;
  isPaused = false;

  constructor(store: FakeStore, request: WatchRequest, sink: WatchSink, left: () => void) {
    this.#store = store;
    this.request = request;
    this.#sink = sink;
    this.#left = left;
    this.#nextRevision = request.fromRevision;
    this.#cursor = request.fromRevision;
  }

  get nextRevision(): bigint {
    return this.#nextRevision;
  }

  /** Tells the changes of at most so many revisions; or that they are compacted. `isUnderWay`: it was sent before a pause. */
  tell(limit = Number.POSITIVE_INFINITY, { isUnderWay = false } = {}): void {
    for (let told = 0; told < limit; ) {
      if (this.#isOver || this.isCut || (this.isPaused && !isUnderWay)) return;
      if (this.#cursor > this.#store.revision) return;
      if (this.#cursor < this.#store.compactedRevision) {
        this.#end((sink) => sink.compacted());
        return;
      }
      const events = this.#eventsAt(this.#cursor);
      this.#cursor += 1n;
      if (events.length === 0) continue;
      this.#nextRevision = this.#cursor;
      this.#sink.events(this.#cursor - 1n, events);
      told += 1;
    }
  }

  /** Tells how far it is, where there is something to tell. */
  tellProgress(): void {
    if (this.#isOver || this.isCut || this.isPaused || this.#cursor <= this.#nextRevision) return;
    this.#nextRevision = this.#cursor;
    this.#sink.progress(this.#cursor - 1n);
  }

  cut(): void {
    this.isCut = true;
  }

  reconnect(): void {
    if (!this.isCut) return;
    this.isCut = false;
    this.#cursor = this.#nextRevision;
  }

  /** The store is another one now. */
  replaceStore(): void {
    this.#end((sink) => sink.compacted());
  }

  fail(error: DomainError): void {
    if (!this.#isOver) this.#end((sink) => sink.failed(error));
  }

  pause(): void {
    if (this.request.isPausable) this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  close(): void {
    this.#end(() => {});
  }

  #end(tell: (sink: WatchSink) => void): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#left();
    tell(this.#sink);
  }

  #eventsAt(revision: bigint): readonly StoreEvent[] {
    const [commit] = this.#store.commitsBetween(revision - 1n, revision);
    const events = commit?.events.filter((event) => contains(this.request.range, keyOf(event))) ?? [];
    // The store no longer knows what a key held before a compacted revision.
    const isKnown = revision - 1n >= this.#store.compactedRevision;
    return isKnown ? events : events.map((event) => ({ ...event, previous: undefined }));
  }
}

function keyOf(event: StoreEvent): Uint8Array {
  return event.kind === 'put' ? event.kv.key : event.key;
}
