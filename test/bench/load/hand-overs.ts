import { setTimeout as delay } from 'node:timers/promises';
import type { LockClient } from '../calls/lock-calls.ts';

/** How long it took from one holder of a lock to the next. */
export interface HandOver {
  /** From sending the release until the next one was told that it holds the lock. */
  readonly wholeMs: number;
  /** The same from the answer to the release; below 0 where the next one was told before. */
  readonly afterAnswerMs: number;
}

/** How the lock goes round. */
export interface HandOverOptions {
  /** How long each holds the lock. Meanwhile who held it before gets in line again. */
  readonly holdMs: number;
  readonly seconds: number;
  /** Resolves when so many clients hold the lock or wait for it. */
  readonly untilInLine: (count: number) => Promise<void>;
  readonly signal: AbortSignal;
}

interface Release {
  readonly sentAtMs: number;
  answeredAtMs: number;
  takenAtMs: number;
  readonly taken: PromiseWithResolvers<void>;
}

/**
 * Has all clients take a lock in turn: one holds it and the others wait. It begins when all are in line; in the end each has held
 * the lock once more and waits no longer.
 *
 * @returns what began within `seconds`
 * @throws Error where two hold the lock at once; `signal.reason` on abort
 */
export async function measureHandOvers(
  clients: readonly LockClient[],
  name: string,
  { holdMs, seconds, untilInLine, signal }: HandOverOptions,
): Promise<readonly HandOver[]> {
  const releases: Release[] = [];
  let holders = 0;
  let isOver = false;
  let last: Release | undefined;
  const allInLine = Promise.withResolvers<void>();

  async function take(client: LockClient): Promise<void> {
    do {
      const held = await client.acquire(name);
      holders += 1;
      if (holders > 1) throw new Error(`${holders} hold the lock "${name}" at once`);
      if (last !== undefined) {
        last.takenAtMs = performance.now();
        last.taken.resolve();
      }
      await allInLine.promise;
      if (!isOver) await delay(holdMs, undefined, { signal });
      const isMeasured = !isOver;

      holders -= 1;
      const release: Release = {
        sentAtMs: performance.now(),
        answeredAtMs: Number.NaN,
        takenAtMs: Number.NaN,
        taken: Promise.withResolvers(),
      };
      last = release;
      if (isMeasured) releases.push(release);
      await held.release();
      release.answeredAtMs = performance.now();
      if (isMeasured) await release.taken.promise;
    } while (!isOver);
  }

  async function time(): Promise<void> {
    await untilInLine(clients.length);
    allInLine.resolve();
    await delay(seconds * 1_000, undefined, { signal });
    isOver = true;
  }

  await Promise.all([...clients.map(take), time()]);
  return releases.map(({ sentAtMs, answeredAtMs, takenAtMs }) => ({
    wholeMs: takenAtMs - sentAtMs,
    afterAnswerMs: takenAtMs - answeredAtMs,
  }));
}
