import type { Http2Stream } from './http2-stream.ts';
import { CODE, ConnectionError, MAX_STREAM_ID } from './protocol.ts';
import { RecentStreams } from './recent-streams.ts';
import { TokenBucket } from './token-bucket.ts';

/** Calls at once on one connection; callers that need more open another one. */
export const MAX_STREAMS = 20_000;
/** Streams that end before their time, at once and each second after that: more is no proxy's, but an attack. */
const RESET_BURST = 20_000;
const RESETS_PER_SECOND = 2_000;
/** Of streams that were reset so many are remembered, since frames for them may be on their way. */
const MAX_REMEMBERED = 10_000;

/** The streams of a connection: those that are open, those that were, and those that may still come (RFC 9113, 5.1). */
export class StreamTable {
  readonly #open = new Map<number, Http2Stream>();
  /** Those that ended before their client could know. */
  readonly #resets = new RecentStreams(MAX_REMEMBERED);
  readonly #resetLimit = new TokenBucket(RESET_BURST, RESETS_PER_SECOND);
  #lastId = 0;
  #maxId = MAX_STREAM_ID;

  /** How many are open. */
  get size(): number {
    return this.#open.size;
  }

  /** The last one that was served, or refused. */
  get lastId(): number {
    return this.#lastId;
  }

  /** Returns an open one. */
  get(id: number): Http2Stream | undefined {
    return this.#open.get(id);
  }

  values(): Iterable<Http2Stream> {
    return this.#open.values();
  }

  /** Takes a new one in account; false: none is served any more. Its id is larger than all before. */
  begin(id: number): boolean {
    if (id > this.#maxId) return false;
    this.#lastId = id;
    return true;
  }

  add(stream: Http2Stream): void {
    this.#open.set(stream.id, stream);
  }

  delete(stream: Http2Stream): void {
    this.#open.delete(stream.id);
  }

  /** Lets nothing come behind the last one that has come. */
  seal(): void {
    this.#maxId = this.#lastId;
  }

  /** Whether nobody has opened it yet. */
  isIdle(id: number): boolean {
    return id % 2 === 0 || (id > this.#lastId && id <= this.#maxId);
  }

  /** Throws a {@link ConnectionError} where a client cannot take a stream that is not open for one that is. */
  checkEnded(id: number): void {
    if (id > this.#maxId || this.#resets.has(id)) return;
    if (this.isIdle(id)) throw new ConnectionError(CODE.protocolError, 'A stream that is not open');
    throw new ConnectionError(CODE.streamClosed, 'A stream that is closed');
  }

  /** Remembers that one was ended from here. Throws as {@link StreamTable.countReset}. */
  addReset(id: number): void {
    this.#resets.add(id);
    this.countReset();
  }

  /** Throws a {@link ConnectionError} where too many streams end before their time, from whichever side. */
  countReset(): void {
    if (!this.#resetLimit.take())
      throw new ConnectionError(CODE.enhanceYourCalm, 'Too many streams are reset');
  }
}
