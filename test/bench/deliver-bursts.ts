import type { Watched } from './watched.ts';

/**
 * Writes bursts of `puts` for `seconds`; the next burst is sent when every subscriber has got this one. What counts is the time
 * from the first Put of a burst to its last event at the last subscriber.
 *
 * @returns deliveries per second
 */
export async function deliverBursts(
  { subscribers, writer }: Pick<Watched, 'subscribers' | 'writer'>,
  puts: number,
  seconds: number,
): Promise<number> {
  let deliveries = 0;
  let totalMs = 0;
  while (totalMs < seconds * 1_000) {
    const startedAtMs = performance.now();
    const [lastAtMs] = await Promise.all([subscribers.receive(puts), writer.write(puts)]);
    totalMs += lastAtMs - startedAtMs;
    deliveries += puts * subscribers.count;
  }
  return (deliveries / totalMs) * 1_000;
}
