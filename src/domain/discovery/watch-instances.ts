// The instances of one service or of all, and what becomes of them.

import type { OperationOptions } from '../store.ts';
import type { Change } from '../watch/change.ts';
import { createView } from '../watch/view.ts';
import type { Watch, WatchQuery } from '../watch/watch.ts';
import type { DiscoveryKeys } from './discovery-keys.ts';
import {
  differInStatusAlone,
  type Instance,
  type InvalidEntry,
  isInstance,
  readInstance,
} from './instance.ts';

/** What happened to an instance. */
export interface InstanceChange {
  readonly type: 'registered' | 'updated' | 'unregistered' | 'expired' | 'status';
  readonly instance: Instance;
  readonly previous: Instance | undefined;
}

/** One message; see `WatchMessage` of src/domain/watch/watch.ts. */
export type InstanceWatchMessage = { readonly revision: bigint } & (
  | {
      readonly kind: 'snapshot';
      readonly instances: readonly Instance[];
      readonly invalid: readonly InvalidEntry[];
    }
  | { readonly kind: 'synced' | 'checkpoint' }
  | {
      readonly kind: 'events' | 'resync';
      /** Undefined: a snapshot follows that takes the place of everything. */
      readonly changes: readonly InstanceChange[] | undefined;
      readonly invalid: readonly InvalidEntry[];
    }
);

/** What is watched, and from where. */
export interface InstanceWatchQuery {
  /** Undefined: all services. */
  readonly service: string | undefined;
  readonly start: WatchQuery['start'];
  readonly checkpointIntervalMs: number;
}

/** Watches until its caller stops. Rejects as {@link Watch} does. */
export async function* watchInstances(
  watch: Watch,
  keys: DiscoveryKeys,
  { service, start, checkpointIntervalMs }: InstanceWatchQuery,
  options: OperationOptions,
): AsyncGenerator<InstanceWatchMessage> {
  const query = {
    view: createView({
      range: service === undefined ? keys.all : keys.ofService(service),
      returnPrevious: true,
    }),
    start,
    includeSnapshot: start.kind === 'now',
    isKeysOnly: false,
    isCoalescing: false,
    checkpointIntervalMs,
  };
  for await (const message of watch(query, options)) {
    const { kind, revision } = message;
    switch (kind) {
      case 'snapshot': {
        const read = message.kvs.map((kv) => readAt(keys, kv));
        yield { kind, revision, instances: read.filter(isInstance), invalid: read.filter(isInvalid) };
        break;
      }
      case 'synced':
      case 'checkpoint':
        yield { kind, revision };
        break;
      case 'events':
      case 'resync': {
        const told = message.changes?.map((change) => changeOf(keys, change));
        yield {
          kind,
          revision,
          changes: told?.filter((each) => each !== undefined && 'instance' in each) as
            | InstanceChange[]
            | undefined,
          invalid: (told ?? []).filter((each) => each !== undefined && 'reason' in each) as InvalidEntry[],
        };
      }
    }
  }
}

/** Undefined: what went was no instance. */
function changeOf(
  keys: DiscoveryKeys,
  { type, kv, previous }: Change,
): InstanceChange | InvalidEntry | undefined {
  const before = previous && readAt(keys, previous);
  const was = before !== undefined && isInstance(before) ? before : undefined;
  if (type === 'deleted' || type === 'expired') {
    const gone = type === 'deleted' ? 'unregistered' : 'expired';
    return was && { type: gone, instance: was, previous: was };
  }
  const is = readAt(keys, kv);
  if (isInvalid(is)) return was === undefined ? is : { type: 'unregistered', instance: was, previous: was };
  if (was === undefined) return { type: 'registered', instance: is, previous: undefined };
  return { type: differInStatusAlone(was, is) ? 'status' : 'updated', instance: is, previous: was };
}

function readAt(keys: DiscoveryKeys, kv: Change['kv']): Instance | InvalidEntry {
  const name = keys.read(kv.key);
  if (name === undefined) return { key: kv.key, reason: 'the key is not <service>/<instance_id>' };
  return readInstance(name.service, name.instanceId, kv);
}

function isInvalid(read: Instance | InvalidEntry): read is InvalidEntry {
  return !isInstance(read);
}
