// What must happen in the end, whatever the store is doing at the moment.

import type { Clock } from './clock.ts';
import { DomainError, type ErrorReason } from './errors.ts';
import type { OperationOptions } from './store.ts';
import { delay } from './watch/delay.ts';

const PASSING: ReadonlySet<ErrorReason> = new Set([
  'STORE_UNAVAILABLE',
  'STORE_OVERLOADED',
  'OUTCOME_UNKNOWN',
  'DEADLINE_EXCEEDED',
]);
const MIN_DELAY_MS = 20;
const MAX_DELAY_MS = 1_000;

/**
 * Runs an operation until it succeeds, until it fails for a cause that trying again does not mend, or until the signal is aborted.
 *
 * Done twice the operation must be as done once: its first answer may have been lost.
 */
export async function persistently<T>(
  clock: Clock,
  run: () => Promise<T>,
  options: OperationOptions,
): Promise<T> {
  for (let delayMs = MIN_DELAY_MS; ; delayMs = Math.min(MAX_DELAY_MS, 2 * delayMs)) {
    try {
      return await run();
    } catch (error) {
      options.signal.throwIfAborted();
      if (!(error instanceof DomainError && PASSING.has(error.reason))) throw error;
      await delay(clock, delayMs, options);
    }
  }
}
