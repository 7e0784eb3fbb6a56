// Watching the configuration of an application: first all of it, then what changes.
//
// Every change is an entry of the history, written in the transaction of the change, and is told of from there: who made it, why,
// and what it wrote. What stands before it is known from the set that came first.

import { DomainError } from '../errors.ts';
import { type ListCursor, list } from '../reading/list.ts';
import type { AtRevision, KeyValue, KeyValueStore, OperationOptions } from '../store.ts';
import type { Change } from '../watch/change.ts';
import { createView } from '../watch/view.ts';
import type { Watch, WatchQuery } from '../watch/watch.ts';
import { type ConfigChange, type ConfigItem, itemOf } from './config-item.ts';
import type { ConfigKeys } from './config-keys.ts';
import type { ConfigMemory } from './config-memory.ts';
import { itemOfVersion } from './diff.ts';
import { type ItemVersion, versionIn } from './history.ts';
import { stateOf } from './recorder.ts';
import { layersOf, resolve, resolveKey } from './resolve.ts';

/** What is watched, and from where. */
export interface ConfigWatchQuery {
  readonly application: string;
  /** The layers over `default`, the nearest first. */
  readonly profiles: readonly string[];
  /** Whether only what counts in the end is told. */
  readonly isEffective: boolean;
  readonly start: Exclude<WatchQuery['start'], { readonly kind: 'revision' }>;
  readonly checkpointIntervalMs: number;
}

/** One message; see `WatchMessage` of src/domain/watch/watch.ts. Behind a resync a snapshot follows that takes the place of everything. */
export type ConfigWatchMessage = { readonly revision: bigint } & (
  | { readonly kind: 'snapshot'; readonly items: readonly ConfigItem[] }
  | { readonly kind: 'synced' | 'checkpoint' | 'resync' }
  | { readonly kind: 'events'; readonly changes: readonly ConfigChange[] }
);

/** What it needs. */
export interface WatchConfigDeps {
  readonly store: KeyValueStore;
  readonly watch: Watch;
  readonly keys: ConfigKeys;
  readonly memory: ConfigMemory;
}

/** The items of each layer, by key, the base first. */
type Layers = readonly Map<string, ConfigItem>[];

const MAX_SNAPSHOT_ITEMS = 500;
const MAX_SNAPSHOT_BYTES = 1_048_576;
const PAGE_SIZE = 1_000;

/** Serves watches, each until its caller stops. Rejects as {@link Watch} does. */
export type ConfigWatch = (
  query: ConfigWatchQuery,
  options: OperationOptions,
) => AsyncGenerator<ConfigWatchMessage>;

/** Creates what serves watches. */
export function createConfigWatch(deps: WatchConfigDeps): ConfigWatch {
  // What the hub tells many subscribers is read once.
  const versions = new WeakMap<KeyValue, ItemVersion>();
  const versionOf = ({ type, kv }: Change): ItemVersion | undefined => {
    // One that was encrypted again is nothing new.
    if (type !== 'created') return undefined;
    const version = versions.get(kv) ?? versionIn(deps.keys, kv);
    if (version !== undefined) versions.set(kv, version);
    return version;
  };
  return (query, options) => watchConfig({ ...deps, versionOf }, query, options);
}

interface Deps extends WatchConfigDeps {
  readonly versionOf: (change: Change) => ItemVersion | undefined;
}

async function* watchConfig(
  deps: Deps,
  query: ConfigWatchQuery,
  options: OperationOptions,
): AsyncGenerator<ConfigWatchMessage> {
  const { start } = query;
  let from = start.kind === 'resume' && !start.isPartial ? start.revision : undefined;
  for (;;) {
    let found = from === undefined ? undefined : await layersAt(deps, query, from, options);
    if (from !== undefined && found === undefined) yield { kind: 'resync', revision: from };
    if (found === undefined) found = yield* snapshot(deps, query, options);
    from = yield* changes(deps, query, found, options);
    yield { kind: 'resync', revision: from };
    from = undefined;
  }
}

/** Sends all that there is. */
async function* snapshot(
  { memory }: WatchConfigDeps,
  { application, profiles, isEffective }: ConfigWatchQuery,
  options: OperationOptions,
): AsyncGenerator<ConfigWatchMessage, AtRevision<{ readonly layers: Layers }>> {
  const { value: layers, revision } = await memory.exactly(
    application,
    () => layersOf(profiles).map((profile) => new Map(memory.items(application, profile))),
    options,
  );
  const items = isEffective
    ? resolve(layers).map(({ item }) => item)
    : layers.flatMap((layer) => [...layer.values()].sort((a, b) => (a.key < b.key ? -1 : 1)));
  for (const part of parts(items)) yield { kind: 'snapshot', revision, items: part };
  yield { kind: 'synced', revision };
  return { layers, revision };
}

/** Sends what changes, until changes are lost, and returns the revision up to which all were sent. */
async function* changes(
  { watch, keys, versionOf }: Deps,
  query: ConfigWatchQuery,
  { layers, revision: fromRevision }: AtRevision<{ readonly layers: Layers }>,
  options: OperationOptions,
): AsyncGenerator<ConfigWatchMessage, bigint> {
  const { application, profiles, checkpointIntervalMs } = query;
  const places = new Map(layersOf(profiles).map((profile, i) => [profile, layers[i] ?? new Map()]));
  let revision = fromRevision;
  const messages = watch(
    {
      view: createView({ range: keys.historyOf(application), changes: 'puts' }),
      start: { kind: 'resume', revision, isPartial: false },
      includeSnapshot: false,
      isKeysOnly: false,
      isCoalescing: false,
      checkpointIntervalMs,
    },
    options,
  );
  for await (const message of messages) {
    if (message.kind === 'resync') return revision;
    revision = message.revision;
    const told =
      message.kind === 'events'
        ? toldOf(
            query,
            layers,
            places,
            message.changes.flatMap((change) => versionOf(change) ?? []),
          )
        : [];
    if (told.length > 0) yield { kind: 'events', revision, changes: told };
    else yield { kind: 'checkpoint', revision };
  }
  return revision;
}

/** Takes versions into the layers, and returns what the subscriber is told of them. */
function toldOf(
  { isEffective }: ConfigWatchQuery,
  layers: Layers,
  places: ReadonlyMap<string, Map<string, ConfigItem>>,
  versions: readonly ItemVersion[],
): readonly ConfigChange[] {
  const keys = new Set(versions.map(({ name }) => name.key));
  const effective = (): Map<string, ConfigItem | undefined> =>
    new Map([...keys].map((key) => [key, resolveKey(layers, key)?.item]));
  const before = isEffective ? effective() : new Map<string, ConfigItem | undefined>();
  const told = versions.flatMap((version) => {
    const layer = places.get(version.name.profile);
    return layer === undefined ? [] : (take(layer, version) ?? []);
  });
  if (!isEffective) return told;
  const after = effective();
  return [...keys].flatMap((key) => {
    const [was, is] = [before.get(key), after.get(key)];
    if (was?.profile === is?.profile && was?.version === is?.version) return [];
    if (is !== undefined)
      return [{ type: was === undefined ? 'created' : 'updated', item: is, previous: was }];
    return told.filter(({ type, item }) => type === 'deleted' && item.key === key).slice(-1);
  });
}

/** Takes a version into its layer; undefined: it was there already. */
function take(layer: Map<string, ConfigItem>, version: ItemVersion): ConfigChange | undefined {
  const { key } = version.name;
  const previous = layer.get(key);
  const item = itemOfVersion(version);
  if (item === undefined) {
    if (previous === undefined) return undefined;
    layer.delete(key);
    return { type: 'deleted', item: { ...version.name, ...version }, previous };
  }
  layer.set(key, item);
  // What another etcd client wrote is seen before it is recorded.
  if (previous !== undefined && previous.version >= item.version) return undefined;
  return { type: previous === undefined ? 'created' : 'updated', item, previous };
}

/** Reads the layers as they were; undefined: that was compacted away. Rejects with REVISION_IN_FUTURE. */
async function layersAt(
  deps: WatchConfigDeps,
  { application, profiles }: ConfigWatchQuery,
  revision: bigint,
  options: OperationOptions,
): Promise<AtRevision<{ readonly layers: Layers }> | undefined> {
  try {
    const layers = await Promise.all(
      layersOf(profiles).map((profile) => layerAt(deps, application, profile, revision, options)),
    );
    return { layers, revision };
  } catch (error) {
    if (error instanceof DomainError && error.reason === 'REVISION_COMPACTED') return undefined;
    throw error;
  }
}

async function layerAt(
  { store, keys }: WatchConfigDeps,
  application: string,
  profile: string,
  revision: bigint,
  options: OperationOptions,
): Promise<Map<string, ConfigItem>> {
  const [values, records] = await Promise.all(
    [keys.values(application, profile), keys.records(application, profile)].map(async (range) => {
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
  const layer = new Map<string, ConfigItem>();
  for (const [key, value] of values ?? []) {
    const item = itemOf(stateOf({ application, profile, key }, value, records?.get(key)));
    if (item !== undefined) layer.set(key, item);
  }
  return layer;
}

/** Messages that every client takes. */
function* parts(items: readonly ConfigItem[]): Generator<readonly ConfigItem[]> {
  let part: ConfigItem[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = item.key.length + item.value.length;
    if (part.length === MAX_SNAPSHOT_ITEMS || (part.length > 0 && bytes + size > MAX_SNAPSHOT_BYTES)) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(item);
    bytes += size;
  }
  if (part.length > 0) yield part;
}
