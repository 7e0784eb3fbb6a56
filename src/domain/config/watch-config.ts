// Watching the configuration of an application: first all of it, then what changes.
//
// Every change is an entry of the history, written in the transaction of the change, and is told of from there: who made it, why,
// and what it wrote. What stands before it is known from the set that came first.

import type { AtRevision, KeyValue, OperationOptions } from '../store.ts';
import { compareTexts } from '../text-order.ts';
import type { Change } from '../watch/change.ts';
import { createView } from '../watch/view.ts';
import type { Watch, WatchQuery } from '../watch/watch.ts';
import type { ConfigChange, ConfigItem } from './config-item.ts';
import { itemOfVersion } from './diff.ts';
import { type ItemVersion, versionIn } from './history.ts';
import type { ItemMap } from './item-map.ts';
import { resolve, resolveKey } from './resolve.ts';
import {
  type Layers,
  type LayersQuery,
  layersAt,
  newestLayers,
  type WatchLayersDeps,
} from './watch-layers.ts';

/** What is watched, and from where. */
export interface ConfigWatchQuery extends LayersQuery {
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
export interface WatchConfigDeps extends WatchLayersDeps {
  readonly watch: Watch;
}

/** What changed in a layer, in order. Undefined: the item is gone. */
type LayerEdits = Map<string, ConfigItem | undefined>;

/** Of one change: as many as an application has views that are often watched. */
const MAX_STEPS = 16;
const MAX_SNAPSHOT_ITEMS = 500;
const MAX_SNAPSHOT_BYTES = 1_048_576;

/** Serves watches, each until its caller stops. Rejects as {@link Watch} does. */
export type ConfigWatch = (
  query: ConfigWatchQuery,
  options: OperationOptions,
) => AsyncGenerator<ConfigWatchMessage>;

/** Creates what serves watches. */
export function createConfigWatch(deps: WatchConfigDeps): ConfigWatch {
  // What the hub tells many subscribers is read once, and brings all of them to the same maps.
  const versions = new WeakMap<KeyValue, ItemVersion>();
  const behind = new WeakMap<readonly Change[], Map<string, ItemMap>>();
  const steps = new WeakMap<readonly Change[], readonly Step[]>();
  const versionOf = ({ type, kv }: Change): ItemVersion | undefined => {
    // One that was encrypted again is nothing new.
    if (type !== 'created') return undefined;
    const version = versions.get(kv) ?? versionIn(deps.keys, kv);
    if (version !== undefined) versions.set(kv, version);
    return version;
  };
  const shared: Shared = {
    versionsOf: (changes) => changes.flatMap((change) => versionOf(change) ?? []),
    behind(changes, profile, create) {
      const known = behind.get(changes) ?? new Map<string, ItemMap>();
      const map = known.get(profile) ?? create();
      behind.set(changes, known.set(profile, map));
      return map;
    },
    step(changes, before, isEffective, take) {
      const known = steps.get(changes) ?? [];
      const found = known.find((step) => step.isEffective === isEffective && isSame(step.before, before));
      if (found !== undefined) return found;
      const step = { before, isEffective, ...take() };
      steps.set(changes, [step, ...known.slice(0, MAX_STEPS - 1)]);
      return step;
    },
  };
  return (query, options) => watchConfig({ ...deps, ...shared }, query, options);
}

/** What subscribers share. */
interface Shared {
  /** The versions that the hub tells of. */
  versionsOf(changes: readonly Change[]): readonly ItemVersion[];
  /** The items of a profile behind what the hub tells of: they are the same for all who are told. */
  behind(changes: readonly Change[], profile: string, create: () => ItemMap): ItemMap;
  /** What the same changes come to for all who have the same layers and see them alike. */
  step(
    changes: readonly Change[],
    before: Layers,
    isEffective: boolean,
    take: () => Pick<Step, 'layers' | 'told'>,
  ): Step;
}

/** From the layers before some changes to those behind them. */
interface Step {
  readonly before: Layers;
  readonly isEffective: boolean;
  readonly layers: Layers;
  readonly told: readonly ConfigChange[];
}

async function* watchConfig(
  deps: WatchConfigDeps & Shared,
  query: ConfigWatchQuery,
  options: OperationOptions,
): AsyncGenerator<ConfigWatchMessage> {
  const { start } = query;
  let from = start.kind === 'resume' && !start.isPartial ? start.revision : undefined;
  for (;;) {
    let layers = from === undefined ? undefined : await layersAt(deps, query, from, options);
    if (from !== undefined && layers === undefined) yield { kind: 'resync', revision: from };
    if (from === undefined || layers === undefined)
      ({ layers, revision: from } = yield* snapshot(deps, query, options));
    from = yield* changes(deps, query, { layers, revision: from }, options);
    yield { kind: 'resync', revision: from };
    from = undefined;
  }
}

/** Sends all that there is. */
async function* snapshot(
  deps: WatchConfigDeps,
  query: ConfigWatchQuery,
  options: OperationOptions,
): AsyncGenerator<ConfigWatchMessage, AtRevision<{ readonly layers: Layers }>> {
  const { layers, revision } = await newestLayers(deps, query, options);
  const items = query.isEffective
    ? resolve([...layers.values()]).map(({ item }) => item)
    : [...layers.values()].flatMap(sorted);
  for (const part of parts(items)) yield { kind: 'snapshot', revision, items: part };
  yield { kind: 'synced', revision };
  return { layers, revision };
}

/** Sends what changes, until changes are lost, and returns the revision up to which all were sent. */
async function* changes(
  deps: WatchConfigDeps & Shared,
  { application, isEffective, checkpointIntervalMs }: ConfigWatchQuery,
  start: AtRevision<{ readonly layers: Layers }>,
  options: OperationOptions,
): AsyncGenerator<ConfigWatchMessage, bigint> {
  const { watch, keys } = deps;
  let { layers, revision } = start;
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
    let told: readonly ConfigChange[] = [];
    if (message.kind === 'events') {
      const before = layers;
      ({ layers, told } = deps.step(message.changes, before, isEffective, () => {
        const step = stepOf(deps, before, message.changes);
        return isEffective ? { ...step, told: effectiveChanges(before, step.layers, step.told) } : step;
      }));
    }
    if (told.length > 0) yield { kind: 'events', revision, changes: told };
    else yield { kind: 'checkpoint', revision };
  }
  return revision;
}

/** Returns the layers behind what the hub tells of, and what a subscriber is told of it. */
function stepOf(
  { versionsOf, behind }: Pick<Shared, 'versionsOf' | 'behind'>,
  before: Layers,
  changes: readonly Change[],
): Pick<Step, 'layers' | 'told'> {
  const edits = new Map<string, LayerEdits>();
  const told: ConfigChange[] = [];
  for (const version of versionsOf(changes)) {
    const { profile, key } = version.name;
    const layer = before.get(profile);
    if (layer === undefined) continue;
    const edited = edits.get(profile) ?? new Map<string, ConfigItem | undefined>();
    edits.set(profile, edited);
    const previous = edited.has(key) ? edited.get(key) : layer.get(key);
    const item = itemOfVersion(version);
    edited.set(key, item);
    if (item !== undefined) told.push({ type: previous ? 'updated' : 'created', item, previous });
    else if (previous !== undefined)
      told.push({ type: 'deleted', item: { ...version.name, ...version }, previous });
  }
  if (edits.size === 0) return { layers: before, told };
  const layers = new Map(before);
  for (const [profile, edited] of edits) {
    const layer = before.get(profile);
    if (layer !== undefined)
      layers.set(
        profile,
        behind(changes, profile, () => layer.with(edited)),
      );
  }
  return { layers, told };
}

/** Returns what changes that were told layer by layer come to in the end. */
function effectiveChanges(
  before: Layers,
  after: Layers,
  told: readonly ConfigChange[],
): readonly ConfigChange[] {
  const keys = new Set(told.map(({ item }) => item.key));
  return [...keys].flatMap((key): readonly ConfigChange[] => {
    const [was, is] = [before, after].map((layers) => resolveKey([...layers.values()], key)?.item);
    if (was?.profile === is?.profile && was?.version === is?.version) return [];
    if (is !== undefined)
      return [{ type: was === undefined ? 'created' : 'updated', item: is, previous: was }];
    const deleted = told.findLast(({ type, item }) => type === 'deleted' && item.key === key);
    return deleted === undefined || was === undefined ? [] : [{ ...deleted, previous: was }];
  });
}

function isSame(some: Layers, others: Layers): boolean {
  if (some === others) return true;
  const profiles = [...some.keys()];
  const isOrder = [...others.keys()].every((profile, i) => profile === profiles[i]);
  return (
    isOrder && some.size === others.size && profiles.every((each) => some.get(each) === others.get(each))
  );
}

function sorted(layer: ItemMap): readonly ConfigItem[] {
  return [...layer.values()].sort((a, b) => compareTexts(a.key, b.key));
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
