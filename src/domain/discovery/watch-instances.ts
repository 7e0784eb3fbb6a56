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
  /** As it is now; of one that is gone, as it was last, or, where that is not known, its names alone. */
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
        const told = message.changes?.map((change) => toldOf(keys, change));
        const changes = told?.flatMap(({ change }) => change ?? []);
        const invalid = (told ?? []).flatMap((each) => each.invalid ?? []);
        // What was no instance and went is nothing to tell.
        if (kind === 'events' && changes?.length === 0 && invalid.length === 0)
          yield { kind: 'checkpoint', revision };
        else yield { kind, revision, changes, invalid };
      }
    }
  }
}

interface Told {
  readonly change?: InstanceChange | undefined;
  readonly invalid?: InvalidEntry;
}

/** What was there before is not always known: then what goes, or is written again, may have been an instance. */
function toldOf(keys: DiscoveryKeys, { type, kv, previous }: Change): Told {
  const before = previous && readAt(keys, previous);
  const was = before !== undefined && isInstance(before) ? before : undefined;
  const gone = before === undefined ? goneInstance(keys, kv) : was;
  const unregistered = gone && ({ type: 'unregistered', instance: gone, previous: was } as const);
  if (type === 'deleted') return { change: unregistered };
  if (type === 'expired') return { change: unregistered && { ...unregistered, type: 'expired' } };
  const is = readAt(keys, kv);
  if (isInvalid(is)) return { change: type === 'created' ? undefined : unregistered, invalid: is };
  const isNew = type === 'created' || (before !== undefined && was === undefined);
  if (isNew) return { change: { type: 'registered', instance: is, previous: undefined } };
  const isStatus = was !== undefined && differInStatusAlone(was, is);
  return { change: { type: isStatus ? 'status' : 'updated', instance: is, previous: was } };
}

/** An instance that went, of which nothing is known but its names; undefined: the key is no instance's. */
function goneInstance(keys: DiscoveryKeys, { key, modRevision }: Change['kv']): Instance | undefined {
  const name = keys.read(key);
  return (
    name && {
      ...name,
      host: '',
      port: 0,
      metadata: {},
      tags: [],
      version: '',
      zone: '',
      weight: 0,
      status: 'DOWN',
      leaseId: 0n,
      registerWallMs: undefined,
      revision: modRevision,
      liveness: undefined,
      members: {},
    }
  );
}

function readAt(keys: DiscoveryKeys, kv: Change['kv']): Instance | InvalidEntry {
  const name = keys.read(kv.key);
  if (name === undefined) return { key: kv.key, reason: 'the key is not <service>/<instance_id>' };
  return readInstance(name.service, name.instanceId, kv);
}

function isInvalid(read: Instance | InvalidEntry): read is InvalidEntry {
  return !isInstance(read);
}
