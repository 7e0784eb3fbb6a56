import { createContext, Script } from 'node:vm';
import { Flaw } from './flaw.ts';

/** The time that is left for one question. */
export interface TimeLimit {
  /** Does the work; throws a flaw with this message where the time ends before it does. At most `maxMs`, default: all that is left. */
  run<T>(work: () => T, lateMessage: string, maxMs?: number): T;
}

/** Has `node:vm` call what it is given: of what Node has, only that ends a loop, or a regular expression, that runs on this thread. */
const CALL = new Script('work()');

/** Creates what sets a limit for one question. */
export function createTimeLimits(): (ms: number) => TimeLimit {
  // What runs is our own code, so the context need not hold anything back; one serves all, since to create one takes a millisecond.
  const shared: { work?: () => void } = {};
  createContext(shared);
  return (ms) => {
    // What is done before the first work is our own, as to compile the schemas of schemas.
    let endMs: number | undefined;
    return {
      run(work, lateMessage, maxMs = ms) {
        endMs ??= performance.now() + ms;
        const leftMs = Math.ceil(Math.min(endMs - performance.now(), maxMs));
        if (leftMs <= 0) throw new Flaw(lateMessage);
        return runFor(shared, leftMs, work, lateMessage);
      },
    };
  };
}

function runFor<T>(shared: { work?: () => void }, timeout: number, work: () => T, lateMessage: string): T {
  const results: T[] = [];
  shared.work = () => {
    results.push(work());
  };
  try {
    CALL.runInContext(shared, { timeout });
  } catch (error) {
    if (isTimeout(error)) throw new Flaw(lateMessage);
    throw error;
  } finally {
    delete shared.work;
  }
  return results[0] as T;
}

/** It comes from the other context, whose `Error` is another. */
function isTimeout(error: unknown): boolean {
  return (
    typeof error === 'object' &&
    error !== null &&
    'code' in error &&
    error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
  );
}
