/** How long, how often. All in milliseconds. */
export interface KeepAliveTimes {
  /** How often the stream is looked after; so much later an abort or a silence may be noticed. @default 100 */
  readonly tickMs: number;
  /** How long a stream may be silent that has something to answer. @default 500 */
  readonly silenceMs: number;
  /** The bound on silence doubles up to this, from one stream that says nothing at all to the next. @default 5000 */
  readonly maxSilenceMs: number;
  /** How often a stream is moved to the member that leads, where it is not there. @default 5000 */
  readonly leaderCheckMs: number;
  /** How long a stream stays open that nothing is asked of. @default 60000 */
  readonly idleMs: number;
  /** The first wait after a break; it doubles up to the longest. @default 50 */
  readonly minBackoffMs: number;
  /** @default 2000 */
  readonly maxBackoffMs: number;
}

export const DEFAULT_KEEP_ALIVE_TIMES: KeepAliveTimes = {
  tickMs: 100,
  silenceMs: 500,
  maxSilenceMs: 5_000,
  leaderCheckMs: 5_000,
  idleMs: 60_000,
  minBackoffMs: 50,
  maxBackoffMs: 2_000,
};
