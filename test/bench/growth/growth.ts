// bench/growth: how the figures grow with the calls in flight, with the keys, and with the subscribers.

import type { Plot } from '../plots/plot.ts';
import type { Bench } from '../row.ts';
import { measureInFlight } from './in-flight.ts';
import { measureKeys } from './keys.ts';
import { measureSubscribers } from './subscribers.ts';

/** Measures all of it. The loop of our own makes all load: the points of a line are to differ in nothing but the size. */
export async function measureGrowth(bench: Bench): Promise<readonly Plot[]> {
  const ownLoop: Bench = { ...bench, tools: {} };
  const inFlight = await measureInFlight(ownLoop);
  const subscribers = await measureSubscribers(ownLoop);
  // Last, since its keys stay.
  const keys = await measureKeys(ownLoop);
  return [...inFlight, ...keys, ...subscribers];
}
