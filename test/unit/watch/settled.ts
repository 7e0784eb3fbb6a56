import { setImmediate } from 'node:timers/promises';

/** Resolves when no promise has anything more to do: the fakes answer in microtasks, and all of them run before this. */
export function settled(): Promise<void> {
  return setImmediate();
}
