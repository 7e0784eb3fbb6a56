// Waiting until those who watch have what was published.

import type { Clock } from '../clock.ts';
import { Bell } from '../session/bell.ts';
import type { KeyValue, OperationOptions } from '../store.ts';
import { Follower } from '../watch/follower.ts';
import type { Watch } from '../watch/watch.ts';
import type { ConfigKeys } from './config-keys.ts';
import { layersOf } from './resolve.ts';
import { readAcknowledgement, readSubscriber } from './subscriber-record.ts';

/** What is waited for. */
export interface DeliveryQuery {
  readonly application: string;
  readonly profile: string;
  /** At which it was published. */
  readonly revision: bigint;
  /** Of those who watch, 1 to 100. */
  readonly percent: number;
  readonly timeoutMs: number;
}

/** Who has it. */
export interface DeliveryReport {
  /** Whether as many have applied it as were asked for. */
  readonly isReached: boolean;
  readonly subscriberCount: number;
  readonly appliedCount: number;
  readonly failedCount: number;
}

/** What it needs. */
export interface DeliveryDeps {
  readonly watch: Watch;
  readonly clock: Clock;
  readonly keys: ConfigKeys;
}

/**
 * Resolves when as many of those who watch as were asked for have applied a revision, when too many have failed for that, or when
 * the time is over. Who comes later does not count; who goes does not either.
 */
export async function awaitDelivery(
  deps: DeliveryDeps,
  { application, profile, revision, percent, timeoutMs }: DeliveryQuery,
  { signal }: OperationOptions,
): Promise<DeliveryReport> {
  const { clock, keys } = deps;
  const bell = new Bell();
  const [subscribers, acknowledged] = [new Map<string, KeyValue>(), new Map<string, KeyValue>()];
  const follow = (range: ReturnType<ConfigKeys['subscribersOf']>, kvs: Map<string, KeyValue>) =>
    new Follower(deps, range, {
      changed: ({ key, kv }) => {
        if (kv === undefined) kvs.delete(keys.subscriberId(key));
        else kvs.set(keys.subscriberId(key), kv);
      },
      settled: () => bell.ring(),
    });
  using subscribing = follow(keys.subscribersOf(application), subscribers);
  using acknowledging = follow(keys.acknowledgedOf(application), acknowledged);
  let isOver = false;
  const cancel = clock.after(timeoutMs, () => {
    isOver = true;
    bell.ring();
  });
  try {
    await Promise.all([subscribing.whole({ signal }), acknowledging.whole({ signal })]);
    const concerned = [...subscribers].filter(([id, { value }]) =>
      layersOf(readSubscriber(id, value, undefined).profiles).includes(profile),
    );
    for (;;) {
      const report = reportOf(
        concerned.map(([id]) => id).filter((id) => subscribers.has(id)),
        acknowledged,
        { revision, percent },
      );
      const { subscriberCount, failedCount } = report;
      const isReachable = (subscriberCount - failedCount) * 100 >= subscriberCount * percent;
      if (report.isReached || !isReachable || isOver) return report;
      await bell.heard({ signal });
    }
  } finally {
    cancel();
  }
}

function reportOf(
  ids: readonly string[],
  acknowledged: ReadonlyMap<string, KeyValue>,
  { revision, percent }: Pick<DeliveryQuery, 'revision' | 'percent'>,
): DeliveryReport {
  const said = ids
    .flatMap((id) => acknowledged.get(id) ?? [])
    .map(({ value }) => readAcknowledgement(value))
    .filter((each) => each.revision >= revision);
  const appliedCount = said.filter(({ isFailed }) => !isFailed).length;
  return {
    isReached: appliedCount * 100 >= ids.length * percent,
    subscriberCount: ids.length,
    appliedCount,
    failedCount: said.length - appliedCount,
  };
}
