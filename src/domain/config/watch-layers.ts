// The layers that a subscriber has been told of.
//
// They are what the history tells of up to a revision: what another etcd client has written belongs to them from the revision on
// at which it was recorded. So it is told once, wherever a subscriber begins or goes on.

import { DomainError } from '../errors.ts';
import { type ListCursor, list } from '../reading/list.ts';
import type { AtRevision, KeyValue, KeyValueStore, OperationOptions } from '../store.ts';
import { type ConfigItem, type ItemName, type ItemState, isRecorded, itemOf } from './config-item.ts';
import type { ConfigKeys } from './config-keys.ts';
import type { ConfigMemory } from './config-memory.ts';
import { itemOfVersion } from './diff.ts';
import { versionIn } from './history.ts';
import { inParallel } from './in-parallel.ts';
import { ItemMap } from './item-map.ts';
import { type Recorder, stateOf } from './recorder.ts';
import { layersOf } from './resolve.ts';

/** By profile, the base first. */
export type Layers = ReadonlyMap<string, ItemMap>;

/** Which layers are watched. */
export interface LayersQuery {
  readonly application: string;
  /** The layers over `default`, the nearest first. */
  readonly profiles: readonly string[];
}

/** What it needs. */
export interface WatchLayersDeps {
  readonly store: KeyValueStore;
  readonly keys: ConfigKeys;
  readonly memory: ConfigMemory;
  readonly recorder: Pick<Recorder, 'record'>;
}

const PAGE_SIZE = 1_000;
const READS_AT_ONCE = 16;

/**
 * Returns the layers as they are now, with all that others had written before. Subscribers get the same maps for as long as
 * nothing changes.
 */
export async function newestLayers(
  deps: WatchLayersDeps,
  query: LayersQuery,
  options: OperationOptions,
): Promise<AtRevision<{ readonly layers: Layers }>> {
  for (let isRecording = true; ; isRecording = false) {
    const { value, revision } = await deps.memory.exactly(
      query.application,
      () => ({ layers: layersIn(deps, query), unrecorded: unrecordedIn(deps, query) }),
      options,
    );
    if (value.unrecorded.length === 0) return { layers: value.layers, revision };
    if (isRecording) {
      await inParallel(value.unrecorded, READS_AT_ONCE, ({ name }) => record(deps, name, options));
      continue;
    }
    // They are being changed again and again: what was not recorded now is told when it is.
    const layers = await asTold(deps, value.layers, value.unrecorded, revision, options);
    if (layers !== undefined) return { layers, revision };
  }
}

/** Returns the layers as they were told up to a revision; undefined: that was compacted away. Rejects with REVISION_IN_FUTURE. */
export async function layersAt(
  deps: WatchLayersDeps,
  query: LayersQuery,
  revision: bigint,
  options: OperationOptions,
): Promise<Layers | undefined> {
  const unchanged = await unchangedLayers(deps, query, revision, options);
  if (unchanged !== undefined) return unchanged;
  return orCompacted(async () => {
    const profiles = layersOf(query.profiles);
    const read = await Promise.all(
      profiles.map((profile) => readStates(deps, query.application, profile, revision, options)),
    );
    const layers = new Map(profiles.map((profile, i) => [profile, itemsIn(read[i] ?? [])]));
    const unrecorded = read.flat().filter((state) => !isRecorded(state));
    return asTold(deps, layers, unrecorded, revision, options);
  });
}

/** The layers in memory, where nothing has changed since a revision: many subscribers may come back at once. */
async function unchangedLayers(
  deps: WatchLayersDeps,
  query: LayersQuery,
  since: bigint,
  options: OperationOptions,
): Promise<Layers | undefined> {
  const { memory } = deps;
  const { application } = query;
  const { value, revision } = await memory.exactly(
    application,
    () =>
      memory.lastChange(application) <= since && unrecordedIn(deps, query).length === 0
        ? layersIn(deps, query)
        : undefined,
    options,
  );
  // One that is in the future is refused as others are.
  return revision < since ? undefined : value;
}

function layersIn({ memory }: WatchLayersDeps, { application, profiles }: LayersQuery): Layers {
  return new Map(layersOf(profiles).map((profile) => [profile, memory.itemMap(application, profile)]));
}

function unrecordedIn(
  { memory }: WatchLayersDeps,
  { application, profiles }: LayersQuery,
): readonly ItemState[] {
  return layersOf(profiles)
    .flatMap((profile) => memory.states(application, profile))
    .filter((state) => !isRecorded(state));
}

async function record(
  { recorder }: WatchLayersDeps,
  name: ItemName,
  options: OperationOptions,
): Promise<void> {
  try {
    await recorder.record(name, options);
  } catch (error) {
    options.signal.throwIfAborted();
    // The store refuses it, as for want of space: it is told when it is recorded.
    if (!(error instanceof DomainError)) throw error;
  }
}

/** Takes what was not recorded at a revision back to what was. Undefined: that was compacted away. */
function asTold(
  { store, keys }: WatchLayersDeps,
  layers: Layers,
  unrecorded: readonly ItemState[],
  revision: bigint,
  options: OperationOptions,
): Promise<Layers | undefined> {
  return orCompacted(async () => {
    const told = new Map(layers);
    await inParallel(unrecorded, READS_AT_ONCE, async ({ name }) => {
      const range = keys.versionsOf(name);
      const { kvs } = await store.read(
        { kind: 'read', range, order: 'descending', limit: 1, revision },
        options,
      );
      const version = kvs[0] && versionIn(keys, kvs[0]);
      const layer = told.get(name.profile) ?? ItemMap.of([]);
      told.set(name.profile, layer.with([[name.key, version && itemOfVersion(version)]]));
    });
    return told;
  });
}

async function readStates(
  { store, keys }: WatchLayersDeps,
  application: string,
  profile: string,
  revision: bigint,
  options: OperationOptions,
): Promise<readonly ItemState[]> {
  const ranges = [keys.values(application, profile), keys.records(application, profile)];
  const [values = new Map(), records = new Map()] = await Promise.all(
    ranges.map(async (range) => {
      const found = new Map<string, KeyValue>();
      const query = { range, view: 'full', order: 'ascending', pageSize: PAGE_SIZE, revision } as const;
      for (let cursor: ListCursor | undefined; ; ) {
        const page = await list(store, { ...query, serializable: false, minRevision: 0n, cursor }, options);
        for (const kv of page.kvs) {
          const key = keys.readItem(kv.key)?.name.key;
          if (key !== undefined) found.set(key, kv);
        }
        if (page.next === undefined) return found;
        cursor = page.next;
      }
    }),
  );
  return [...new Set([...values.keys(), ...records.keys()])].map((key) =>
    stateOf({ application, profile, key }, values.get(key), records.get(key)),
  );
}

function itemsIn(states: readonly ItemState[]): ItemMap {
  return ItemMap.of(
    states.flatMap((state): readonly (readonly [string, ConfigItem])[] => {
      const item = itemOf(state);
      return item === undefined ? [] : [[item.key, item]];
    }),
  );
}

async function orCompacted<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof DomainError && error.reason === 'REVISION_COMPACTED') return undefined;
    throw error;
  }
}
