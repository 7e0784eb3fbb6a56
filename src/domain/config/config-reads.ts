// Reading configuration: items, layers, history and what differs.

import { DomainError } from '../errors.ts';
import { type Freshness, freshRead, revisionInFuture } from '../reading/fresh-read.ts';
import type { AtRevision, KeyValueStore, OperationOptions } from '../store.ts';
import { compareTexts } from '../text-order.ts';
import { type ConfigChange, type ConfigItem, type ItemName, itemOf } from './config-item.ts';
import type { ConfigKeys } from './config-keys.ts';
import type { ApplicationSummary, ConfigMemory } from './config-memory.ts';
import { changesBetween, itemOfVersion, type Pair, pairsAt, pairsOf } from './diff.ts';
import { readNewestVersion, readVersion } from './history.ts';
import { type Recorder, readState } from './recorder.ts';
import { layersOf, type ResolvedItem, type Resolver } from './resolve.ts';
import { type KeySchema, schemasIn, schemasRead } from './schemas.ts';
import type { Vault } from './vault.ts';

/** What is compared. `to…` 0: the newest. */
export type DiffQuery =
  | {
      readonly kind: 'versions';
      readonly name: ItemName;
      readonly fromVersion: number;
      readonly toVersion: number;
    }
  | {
      readonly kind: 'revisions';
      readonly application: string;
      readonly profile: string;
      readonly fromRevision: bigint;
      readonly toRevision: bigint;
    }
  | {
      readonly kind: 'profiles';
      readonly application: string;
      readonly fromProfile: string;
      readonly toProfile: string;
    };

/** What it needs. */
export interface ConfigReadsDeps {
  readonly store: KeyValueStore;
  readonly keys: ConfigKeys;
  readonly memory: ConfigMemory;
  readonly vault: Vault;
  readonly recorder: Recorder;
  readonly resolver: Resolver;
}

/** Returns one item. Rejects with CONFIG_ITEM_NOT_FOUND. */
export async function getItem(
  { store, keys, memory }: ConfigReadsDeps,
  name: ItemName,
  freshness: Freshness,
  options: OperationOptions,
): Promise<AtRevision<{ readonly item: ConfigItem }>> {
  const { application, profile, key } = name;
  if (freshness.serializable) {
    const known = () => memory.items(application, profile).get(key);
    const { value: item, revision } = await memory.fresh(application, known, freshness, options);
    if (item === undefined) throw itemNotFound(name);
    return { item, revision };
  }
  const state = await readState(store, keys, name, options);
  const { revision } = state;
  if (revision < freshness.minRevision) throw revisionInFuture(freshness.minRevision, revision);
  const item = itemOf(state);
  if (item === undefined) throw itemNotFound(name);
  return { item, revision };
}

/** Returns the applications whose names begin with `prefix`, behind `after`. */
export async function listApplications(
  { memory }: ConfigReadsDeps,
  query: Freshness & { readonly prefix: string; readonly after: string; readonly pageSize: number },
  options: OperationOptions,
): Promise<
  AtRevision<{ readonly applications: readonly ApplicationSummary[]; readonly next: string | undefined }>
> {
  const { prefix, after, pageSize, ...freshness } = query;
  const { value, revision } = await memory.fresh(undefined, () => memory.applications(), freshness, options);
  const rest = value.filter(({ name }) => name.startsWith(prefix) && compareTexts(name, after) > 0);
  const applications = rest.slice(0, pageSize);
  return { applications, next: rest.length > pageSize ? applications.at(-1)?.name : undefined, revision };
}

/** Returns what counts in the end, of `default` and the layers over it. */
export async function resolveItems(
  { memory, resolver }: ConfigReadsDeps,
  application: string,
  profiles: readonly string[],
  freshness: Freshness,
  options: OperationOptions,
): Promise<AtRevision<{ readonly items: readonly ResolvedItem[] }>> {
  const layers = layersOf(profiles);
  const { value: items, revision } = await memory.fresh(
    application,
    () => resolver(layers.map((profile) => memory.itemMap(application, profile))),
    freshness,
    options,
  );
  return { items, revision };
}

/** Returns the layers as they are, `default` first. */
export async function readLayers(
  { memory }: ConfigReadsDeps,
  application: string,
  profiles: readonly string[],
  freshness: Freshness,
  options: OperationOptions,
): Promise<AtRevision<{ readonly layers: readonly Layer[] }>> {
  const { value: layers, revision } = await memory.fresh(
    application,
    () =>
      layersOf(profiles).map((profile) => ({
        profile,
        items: sorted(memory.items(application, profile).values()),
      })),
    freshness,
    options,
  );
  return { layers, revision };
}

/** The items of a profile, in the order of their keys. */
export interface Layer {
  readonly profile: string;
  readonly items: readonly ConfigItem[];
}

/** Returns how two states differ. Rejects with CONFIG_VERSION_NOT_FOUND or REVISION_IN_FUTURE. */
export async function diff(
  deps: ConfigReadsDeps,
  query: DiffQuery,
  options: OperationOptions,
): Promise<AtRevision<{ readonly changes: readonly ConfigChange[] }>> {
  const { pairs, revision } = await pairsFor(deps, query, options);
  return { changes: changesBetween(pairs, deps.vault), revision };
}

/** Returns the schemas of an application, or those that hold for a key. */
export async function getSchemas(
  { store, keys }: ConfigReadsDeps,
  application: string,
  key: string,
  freshness: Freshness,
  options: OperationOptions,
): Promise<AtRevision<{ readonly schemas: readonly KeySchema[] }>> {
  const { kvs, revision } = await freshRead(
    (serializable) => store.read({ ...schemasRead(keys, application), serializable }, options),
    freshness,
  );
  const schemas = schemasIn(keys, kvs);
  return { schemas: schemas.filter((schema) => key === '' || schema.holdsFor(key)), revision };
}

async function pairsFor(
  deps: ConfigReadsDeps,
  query: DiffQuery,
  options: OperationOptions,
): Promise<AtRevision<{ readonly pairs: readonly Pair[] }>> {
  switch (query.kind) {
    case 'versions': {
      const { name, fromVersion, toVersion } = query;
      const [from, to] = await Promise.all([
        readVersion(deps, name, fromVersion, options),
        toVersion === 0
          ? readNewestVersion(deps, name, options)
          : readVersion(deps, name, toVersion, options),
      ]);
      const pair = { from: itemOfVersion(from.version), to: itemOfVersion(to.version) };
      return { pairs: [pair], revision: from.revision < to.revision ? from.revision : to.revision };
    }
    case 'revisions': {
      const { memory, recorder } = deps;
      const { application, profile, fromRevision, toRevision } = query;
      // The history is to hold what others have written until now.
      const { value: states, revision } = await memory.exactly(
        application,
        () => memory.states(application, profile),
        options,
      );
      for (const state of states)
        if (recorder.hasUnrecorded({ ...state, revision })) await recorder.record(state.name, options);
      return pairsAt(deps, application, profile, { from: fromRevision, to: toRevision }, options);
    }
    case 'profiles': {
      const { memory } = deps;
      const { application, fromProfile, toProfile } = query;
      const { value: pairs, revision } = await memory.exactly(
        application,
        () => pairsOf(memory.items(application, fromProfile), memory.items(application, toProfile)),
        options,
      );
      return { pairs, revision };
    }
  }
}

function sorted(items: Iterable<ConfigItem>): readonly ConfigItem[] {
  return [...items].sort((a, b) => compareTexts(a.key, b.key));
}

function itemNotFound({ application, profile, key }: ItemName): DomainError {
  return new DomainError(
    'CONFIG_ITEM_NOT_FOUND',
    `Application "${application}" has no item "${key}" in profile "${profile}"`,
    { application, profile, key },
  );
}
