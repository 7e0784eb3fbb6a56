// Random histories: what is written, who follows it, and what goes wrong meanwhile.

import fc from 'fast-check';
import { prefixRange, singleKey } from '../../../src/domain/key-range.ts';
import type { ViewOptions } from '../../../src/domain/watch/view.ts';
import type { WatchHubOptions } from '../../../src/domain/watch/watch-hub.ts';
import { bytes } from './bytes.ts';
import type { HoldPoint } from './fake-store.ts';
import type { FollowerOptions } from './follower.ts';

/** One step of a history. `at` chooses among what there is. */
export type Step =
  | { readonly kind: 'commit'; readonly writes: readonly WriteStep[]; readonly times: number }
  | { readonly kind: 'endLease'; readonly at: number }
  | { readonly kind: 'compact'; readonly behind: number }
  | { readonly kind: 'join'; readonly follower: JoinOptions }
  | { readonly kind: 'leave' | 'disconnect' | 'stall'; readonly at: number }
  | { readonly kind: 'allow'; readonly at: number; readonly count: number }
  | { readonly kind: 'tell'; readonly at: number; readonly limit: number; readonly isUnderWay: boolean }
  | { readonly kind: 'tellProgress' | 'cut' | 'reconnect' | 'fail'; readonly at: number }
  | { readonly kind: 'tellAll' | 'connectAll' | 'restart' }
  | { readonly kind: 'setFailing'; readonly isFailing: boolean }
  | { readonly kind: 'hold' | 'letGo'; readonly point: HoldPoint }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'settle' };

export interface WriteStep {
  readonly key: string;
  /** undefined: the key is deleted; `large`: {@link LARGE_VALUE}. */
  readonly value: string | undefined;
  /** Which lease, if any. */
  readonly lease: number | undefined;
}

export interface JoinOptions extends Omit<FollowerOptions, 'start'> {
  /** How many revisions behind it starts; undefined: now. */
  readonly behind: number | undefined;
  readonly isSlow: boolean;
}

/** A whole history, and who follows it from the start. */
export interface Schedule {
  /** Whether values take so much memory that channels for laggards are paused. */
  readonly isLarge: boolean;
  readonly followers: readonly JoinOptions[];
  readonly options: WatchHubOptions;
  readonly steps: readonly Step[];
}

/** Four of them are more than a channel for laggards holds. */
export const LARGE_VALUE = new Uint8Array(1.2 * 1024 * 1024);

const KEYS = ['a', 'a/1', 'a/2', 'a/b/1', 'b/1', 'b/2', 'c'];

const key = fc.constantFrom(...KEYS);

const range: fc.Arbitrary<ViewOptions['range']> = fc.oneof(
  key.map((name) => singleKey(bytes(name))),
  fc.constantFrom('a', 'a/', 'b/', '').map((prefix) => prefixRange(bytes(prefix))),
  fc.constantFrom(['a/2', 'b/2'], ['a', 'b'], ['b/1', 'd'], ['a/1', 'a/2']).map(([start = '', end = '']) => ({
    kind: 'range' as const,
    start: bytes(start),
    end: bytes(end),
  })),
  fc
    .constantFrom('a/2', 'b')
    .map((start) => ({ kind: 'range' as const, start: bytes(start), end: undefined })),
);

const often = fc.boolean();
const seldom = fc.constantFrom(false, false, false, true);

const view: fc.Arbitrary<ViewOptions> = fc.record(
  {
    range,
    changes: fc.constantFrom('all', 'all', 'all', 'puts', 'deletes'),
    glob: fc.constantFrom(undefined, undefined, undefined, '**/1', 'a/*', '?/?'),
    keysOnly: seldom,
    changedOnly: seldom,
    returnPrevious: seldom,
  },
  { requiredKeys: ['range'] },
);

const follower: fc.Arbitrary<JoinOptions> = fc.record({
  view,
  behind: fc.option(fc.nat(30), { nil: undefined }),
  includeSnapshot: often,
  isCoalescing: seldom,
  checkpointIntervalMs: fc.constantFrom(1_000, 15_000),
  isSlow: often,
});

const at = fc.nat(20);

const tell = fc.record({
  kind: fc.constant('tell' as const),
  at,
  limit: fc.constantFrom(1, 1, 2, 5, 100),
  isUnderWay: seldom,
});
const settle = fc.constant({ kind: 'settle' as const });
const tellAll = fc.constant({ kind: 'tellAll' as const });
const join = fc.record({ kind: fc.constant('join' as const), follower });
const allow = fc.record({
  kind: fc.constant('allow' as const),
  at,
  count: fc.constantFrom(1, 1, 2, 5, 1_000),
});
const point = fc.constantFrom<HoldPoint[]>('read', 'answer', 'lease');

const disturbances: fc.WeightedArbitrary<Step>[] = [
  { weight: 12, arbitrary: settle },
  { weight: 12, arbitrary: tellAll },
  { weight: 12, arbitrary: tell },
  { weight: 5, arbitrary: join },
  { weight: 10, arbitrary: allow },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('compact' as const), behind: fc.constantFrom(0, 1, 5, 20) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('endLease' as const), at }) },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constantFrom('leave', 'disconnect', 'stall', 'stall'), at }),
  },
  {
    weight: 12,
    arbitrary: fc.record({ kind: fc.constantFrom('tellProgress', 'cut', 'reconnect', 'reconnect'), at }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('fail' as const), at }) },
  { weight: 6, arbitrary: fc.constant({ kind: 'connectAll' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('setFailing' as const), isFailing: seldom }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constantFrom('hold', 'letGo', 'letGo'), point }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.constantFrom(0, 0, 0, 500, 2_000, 20_000),
    }),
  },
];

const options = fc.record({
  maxIndexedKeys: fc.constantFrom(0, 3, 5, 100),
  nearRevisions: fc.constantFrom(0n, 3n, 1_000n),
});

/** Histories of up to so many steps. */
export function schedules({
  maxSteps,
  isLarge,
}: {
  maxSteps: number;
  isLarge: boolean;
}): fc.Arbitrary<Schedule> {
  const values = isLarge ? ['x', 'large', 'large'] : ['x', 'x', 'y', 'z'.repeat(300)];
  const write = fc.record({
    key,
    value: fc.constantFrom(...values, undefined),
    lease: fc.constantFrom(undefined, undefined, 0, 1),
  });
  const commit = fc.record({
    kind: fc.constant('commit' as const),
    times: fc.constantFrom(1, 1, 1, 2, 8),
    writes: fc.uniqueArray(write, { minLength: 1, maxLength: 3, selector: (each) => each.key }),
  });
  const sizes = isLarge ? [6_000_000, 64_000_000, 1_000_000_000] : [600, 2_000, 5_000, 64_000_000];
  const step = fc.oneof({ weight: 30, arbitrary: commit }, ...disturbances);
  return fc.record({
    isLarge: fc.constant(isLarge),
    options: fc
      .tuple(options, fc.constantFrom(...sizes))
      .map(([rest, historyBytes]) => ({ ...rest, historyBytes })),
    followers: fc.array(follower, { minLength: 1, maxLength: 5 }),
    steps: fc.array(step, { maxLength: maxSteps, size: 'max' }),
  });
}
