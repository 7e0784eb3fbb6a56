// Durations and points in time: numbers in the domain, messages on the wire.

import { create } from '@bufbuild/protobuf';
import { type Duration, DurationSchema, type Timestamp, timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { Clock } from '../../domain/clock.ts';

/** Returns a duration as whole seconds, a part of one taken for a whole, as etcd counts. */
export function wholeSecondsOf(duration: Duration): bigint {
  return duration.seconds + (duration.nanos > 0 ? 1n : 0n);
}

/** Returns a duration in milliseconds. */
export function millisecondsOf({ seconds, nanos }: Duration): number {
  return Number(seconds) * 1_000 + nanos / 1_000_000;
}

/** Returns whole seconds as a duration. */
export function durationOf(seconds: bigint): Duration {
  return create(DurationSchema, { seconds });
}

/** Returns a time of the clock as people and other machines know it, in whole milliseconds, rounded down. */
export function timestampOf(clock: Clock, atMs: number): Timestamp {
  return timestampFromMs(Math.floor(clock.wallMs() + atMs - clock.now()));
}

const DEFAULT_CHECKPOINT_INTERVAL_MS = 15_000;

/** Returns how long a stream of changes may be silent, in milliseconds. */
export function checkpointIntervalOf(duration: Duration | undefined): number {
  return duration === undefined ? DEFAULT_CHECKPOINT_INTERVAL_MS : millisecondsOf(duration);
}
