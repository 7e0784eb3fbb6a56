// Work that is short for each of many things, and long for all of them.

import type { Clock } from '../clock.ts';
import type { OperationOptions } from '../store.ts';
import { delay } from '../watch/delay.ts';

/** How long the thread is kept from all else, such as the renewal of leases. */
const MAX_BUSY_MS = 20;

/** Visits things in order, with breaks. Ends where `visit` returns false. */
export async function inParts<T>(
  things: Iterable<T>,
  visit: (thing: T) => boolean,
  clock: Clock,
  options: OperationOptions,
): Promise<void> {
  let sinceMs = clock.now();
  for (const thing of things) {
    if (!visit(thing)) return;
    if (clock.now() - sinceMs < MAX_BUSY_MS) continue;
    await delay(clock, 0, options);
    options.signal.throwIfAborted();
    sinceMs = clock.now();
  }
}
