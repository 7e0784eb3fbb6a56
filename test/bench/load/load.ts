/** How much is asked at once. */
export interface LoadShape {
  readonly connections: number;
  /** Calls open at once on each connection. */
  readonly inFlight: number;
}

/** Who makes the load: this process, or a tool that is a process of its own. */
export type Driver = 'own' | 'h2load' | 'wrk';

/** What one load came to. */
export interface LoadResult {
  readonly driver: Driver;
  /** Successes in the time that counts, per second. */
  readonly perSecond: number;
  /** From sending a call to its answer, in the time that counts; NaN where the driver does not tell, or there was none. */
  readonly medianMs: number;
  /** All successes, also those before and after the time that counts. */
  readonly answers: number;
  /** At most so many calls more were sent, and cut off before they were answered. */
  readonly cutOff: number;
}
