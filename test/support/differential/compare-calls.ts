import type { DescMethod } from '@bufbuild/protobuf';
import fc from 'fast-check';
import type { BothWays, IsSame } from './both-ways.ts';
import { randomCalls } from './random-calls.ts';

const SHOWN_DIFFERENCES = 5;

/** What is compared. */
export interface Comparison {
  readonly methods: readonly DescMethod[];
  readonly calls: number;
  /** Sent with each call. @default none */
  readonly headers?: Readonly<Record<string, string>>;
  /** Calls under way at once. @default 1, so that both gateways come to the same state */
  readonly atOnce?: number;
  /** @default answers that are deeply equal */
  readonly isSame?: IsSame;
  /** @default another one each time */
  readonly seed?: number | undefined;
  readonly signal?: AbortSignal;
}

/** Sends random calls both ways. Throws with the first differences, and the seed that brings them again. */
export async function compareCalls(
  both: BothWays,
  { methods, calls, headers = {}, atOnce = 1, isSame, seed = randomSeed(), signal }: Comparison,
): Promise<void> {
  const differences: string[] = [];
  const waiting = fc.sample(randomCalls(methods, headers), { numRuns: calls, seed }).values();
  const work = async (): Promise<void> => {
    for (const call of waiting) {
      signal?.throwIfAborted();
      const difference = await both.difference(call, isSame);
      if (difference !== undefined) differences.push(difference);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  if (differences.length === 0) return;
  const shown = differences.slice(0, SHOWN_DIFFERENCES).join('\n');
  throw new Error(`${differences.length} of ${calls} calls differ, with the seed ${seed}:\n${shown}`);
}

/** Returns a seed that nobody has chosen. */
export function randomSeed(): number {
  return Math.floor(Math.random() * 2 ** 31);
}
