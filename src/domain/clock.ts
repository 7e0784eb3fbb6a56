// Time, handed in, so that what waits can be tested without waiting.

/** A clock and its timers. */
export interface Clock {
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  /** Milliseconds since 1970, for people to read: it may jump. */
  wallMs(): number;
  /** Calls `run` once, after all that is there to be read from connections has been read. */
  soon(run: () => void): void;
  /** Calls `run` once, after so long; the function returned takes it back. */
  after(ms: number, run: () => void): () => void;
}
