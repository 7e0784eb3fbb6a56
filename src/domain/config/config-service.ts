// Configuration: what ConfigService of the contract does, put together.
// Items are written by src/domain/config/edit-items.ts; what is read comes from the store, or from memory
// (src/domain/config/config-memory.ts) where that is fresh enough.

import type { Clock } from '../clock.ts';
import { DomainError } from '../errors.ts';
import type { LeaseEngine } from '../lease/lease-engine.ts';
import type { Freshness } from '../reading/fresh-read.ts';
import type { ListCursor } from '../reading/list.ts';
import type { AtRevision, KeyValueStore, LeaseStore, OperationOptions } from '../store.ts';
import type { Watch } from '../watch/watch.ts';
import type { Cipher } from './cipher.ts';
import type { ConfigChange, ConfigItem, ItemName } from './config-item.ts';
import type { ConfigKeys } from './config-keys.ts';
import { type ApplicationSummary, ConfigMemory } from './config-memory.ts';
import {
  type DiffQuery,
  diff,
  getItem,
  getSchemas,
  type Layer,
  listApplications,
  readLayers,
  resolveItems,
} from './config-reads.ts';
import { awaitDelivery, type DeliveryQuery, type DeliveryReport } from './delivery.ts';
import type { Documents, TransferFormat } from './document.ts';
import { type EditConditions, type Edited, type EditRequest, editItems } from './edit-items.ts';
import { type ItemVersion, listVersions, readVersion } from './history.ts';
import { type Imported, type ImportRequest, importText } from './import-text.ts';
import { type ItemsPage, type ListItemsQuery, listItems } from './list-items.ts';
import { Recorder } from './recorder.ts';
import { createResolver, type ResolvedItem } from './resolve.ts';
import { Retention, type RetentionBounds } from './retention.ts';
import { changeRevision } from './revision-mismatch.ts';
import { type Rotated, rotateSecrets } from './rotate-secrets.ts';
import type { KeySchema } from './schemas.ts';
import { type SchemaViolation, type SetSchemaRequest, setSchema } from './set-schema.ts';
import { SteppedImports } from './stepped-imports.ts';
import type { Acknowledgement, Subscriber, SubscriberDetails } from './subscriber-record.ts';
import { acknowledge, listSubscribers, type OpenSubscriber, Subscribers } from './subscribers.ts';
import { type Exported, exportItems } from './transfer.ts';
import { createVault, type Vault } from './vault.ts';
import { type ConfigWatch, createConfigWatch } from './watch-config.ts';

/** Reads and writes configuration. Every method also rejects as {@link KeyValueStore} does. */
export interface ConfigService extends AsyncDisposable {
  /** Shows what is read: items and versions come with their values as they are stored. */
  readonly vault: Vault;
  get(
    name: ItemName,
    freshness: Freshness,
    options: OperationOptions,
  ): Promise<AtRevision<{ readonly item: ConfigItem }>>;
  list(query: ListItemsQuery, options: OperationOptions): Promise<ItemsPage>;
  listApplications(
    query: Freshness & { readonly prefix: string; readonly after: string; readonly pageSize: number },
    options: OperationOptions,
  ): Promise<
    AtRevision<{ readonly applications: readonly ApplicationSummary[]; readonly next: string | undefined }>
  >;
  /** See {@link editItems}. */
  edit(request: EditRequest, options: OperationOptions): Promise<Edited>;
  /** Writes the content of an old version. Rejects with CONFIG_VERSION_NOT_FOUND, or FIELD_INVALID of a deletion. */
  rollback(
    name: ItemName,
    version: number,
    conditions: EditConditions,
    options: OperationOptions,
  ): Promise<AtRevision<{ readonly change: ConfigChange }>>;
  versions(
    name: ItemName,
    page: { readonly pageSize: number; readonly cursor: ListCursor | undefined },
    options: OperationOptions,
  ): Promise<
    AtRevision<{ readonly versions: readonly ItemVersion[]; readonly next: ListCursor | undefined }>
  >;
  version(
    name: ItemName,
    version: number,
    options: OperationOptions,
  ): Promise<AtRevision<{ readonly version: ItemVersion }>>;
  diff(
    query: DiffQuery,
    options: OperationOptions,
  ): Promise<AtRevision<{ readonly changes: readonly ConfigChange[] }>>;
  resolve(
    application: string,
    profiles: readonly string[],
    freshness: Freshness,
    options: OperationOptions,
  ): Promise<AtRevision<{ readonly items: readonly ResolvedItem[] }>>;
  layers(
    application: string,
    profiles: readonly string[],
    freshness: Freshness,
    options: OperationOptions,
  ): Promise<AtRevision<{ readonly layers: readonly Layer[] }>>;
  setSchema(
    request: SetSchemaRequest,
    options: OperationOptions,
  ): Promise<{ readonly revision: bigint; readonly violations: readonly SchemaViolation[] }>;
  schemas(
    application: string,
    key: string,
    freshness: Freshness,
    options: OperationOptions,
  ): Promise<AtRevision<{ readonly schemas: readonly KeySchema[] }>>;
  /** Rejects with CONFIG_FORMAT_UNFIT. */
  export(
    query: {
      readonly application: string;
      readonly profile: string;
      readonly format: TransferFormat;
      readonly reveal: boolean;
    },
    options: OperationOptions,
  ): Promise<AtRevision<Exported>>;
  /** See {@link importText}. */
  import(request: ImportRequest, options: OperationOptions): Promise<Imported>;
  readonly watch: ConfigWatch;
  /** Has everybody know of one who watches. */
  subscribe(application: string, id: string, details: SubscriberDetails): OpenSubscriber;
  subscribers(
    application: string,
    page: { readonly pageSize: number; readonly cursor: ListCursor | undefined },
    options: OperationOptions,
  ): Promise<
    AtRevision<{ readonly subscribers: readonly Subscriber[]; readonly next: ListCursor | undefined }>
  >;
  /** Rejects with SUBSCRIBER_NOT_FOUND. */
  acknowledge(
    application: string,
    id: string,
    said: Acknowledgement,
    options: OperationOptions,
  ): Promise<{ readonly revision: bigint }>;
  /** See {@link awaitDelivery}; `revision` undefined: that of the last change of the profile. */
  awaitDelivery(
    query: Omit<DeliveryQuery, 'revision'> & { readonly revision: bigint | undefined },
    options: OperationOptions,
  ): Promise<DeliveryReport>;
  /** See {@link rotateSecrets}. */
  rotateSecrets(application: string | undefined, options: OperationOptions): Promise<AtRevision<Rotated>>;
}

/** What the service needs. */
export interface ConfigServiceDeps {
  readonly store: KeyValueStore;
  readonly leases: LeaseStore;
  readonly engine: LeaseEngine;
  readonly watch: Watch;
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
  /** Returns an id that nobody else has: letters, digits and `-`. */
  readonly newId: () => string;
  readonly keys: ConfigKeys;
  readonly documents: Documents;
  readonly cipher: Cipher;
}

/** Creates the service, and begins to follow what other etcd clients write. */
export function createConfigService(deps: ConfigServiceDeps, bounds: RetentionBounds): ConfigService {
  const { documents, cipher } = deps;
  const vault = createVault(cipher);
  const memory = new ConfigMemory(deps, (name) => recorder.noticed(name));
  const retention = new Retention({ ...deps, applications: () => memory.names() }, bounds);
  const recorder = new Recorder({
    ...deps,
    vault,
    state: (name) => memory.state(name),
    trail: (name) => memory.trail(name),
    caughtUp: (state, options) => memory.caughtUp(state, options),
    wrote: (application, count) => retention.wrote(application, count),
  });
  const subscribers = new Subscribers(deps);
  const all = { ...deps, vault, memory, recorder, resolver: createResolver() };
  memory.follow();

  async function edit(request: EditRequest, options: OperationOptions): Promise<Edited> {
    const edited = await editItems(all, request, options);
    if (!request.isDryRun) retention.wrote(request.application, edited.changes.length);
    return edited;
  }

  const steps = new SteppedImports({ ...deps, vault, edit });

  return {
    vault,
    edit,
    get: (name, freshness, options) => getItem(all, name, freshness, options),
    list: (query, options) => listItems(all, query, options),
    listApplications: (query, options) => listApplications(all, query, options),

    async rollback(name, version, { expectedRevision, ...conditions }, options) {
      const { application, profile, key } = name;
      const { version: old } = await readVersion(deps, name, version, options);
      if (old.isDeleted) throw cannotBringBack(version);
      const { contentType, isSecret } = old;
      const value = vault.require(name, old.value, isSecret);
      const put = { kind: 'put', key, value, contentType, isSecret, expectedRevision } as const;
      const edits = [{ ...put, rollbackOf: version }];
      const { changes, revision } = await edit(
        { application, profile, edits, ...conditions, skipUnchanged: false, isDryRun: false },
        options,
      );
      const [change] = changes;
      if (change === undefined) throw new Error('a rollback wrote nothing');
      return { change, revision };
    },

    versions: (name, page, options) => listVersions(deps, name, page, options),
    version: (name, version, options) => readVersion(deps, name, version, options),
    diff: (query, options) => diff(all, query, options),
    resolve: (application, profiles, freshness, options) =>
      resolveItems(all, application, profiles, freshness, options),
    layers: (application, profiles, freshness, options) =>
      readLayers(all, application, profiles, freshness, options),
    setSchema: (request, options) => setSchema(all, request, options),
    schemas: (application, key, freshness, options) => getSchemas(all, application, key, freshness, options),

    async export({ application, profile, format, reveal }, options) {
      const newest = { serializable: false, minRevision: 0n };
      const { layers, revision } = await readLayers(all, application, [profile], newest, options);
      const items = layers.at(-1)?.items ?? [];
      const shown = items.map((item) => vault.show(item, item, reveal));
      return { ...exportItems(documents, format, shown), revision };
    },

    import: (request, options) => importText({ ...all, edit, steps }, request, options),
    watch: createConfigWatch(all),
    subscribe: (application, id, details) => subscribers.open(application, id, details),
    subscribers: (application, page, options) => listSubscribers(deps, application, page, options),
    acknowledge: (application, id, said, options) => acknowledge(deps, application, id, said, options),
    async awaitDelivery({ revision, ...query }, options) {
      const published = revision ?? (await lastChange(memory, query, options));
      return awaitDelivery(deps, { ...query, revision: published }, options);
    },
    rotateSecrets: (application, options) => rotateSecrets(all, application, options),

    async [Symbol.asyncDispose]() {
      steps[Symbol.dispose]();
      retention[Symbol.dispose]();
      recorder[Symbol.dispose]();
      memory[Symbol.dispose]();
      await subscribers[Symbol.asyncDispose]();
    },
  };
}

/** Returns the revision of the last change of a profile; what was published before is waited for where nothing is new. */
async function lastChange(
  memory: ConfigMemory,
  { application, profile }: Pick<DeliveryQuery, 'application' | 'profile'>,
  options: OperationOptions,
): Promise<bigint> {
  const { value } = await memory.exactly(
    application,
    () => {
      let last = 0n;
      for (const state of memory.states(application, profile)) {
        const revision = changeRevision(state);
        if (revision > last) last = revision;
      }
      return last;
    },
    options,
  );
  return value;
}

function cannotBringBack(version: number): DomainError {
  return new DomainError(
    'FIELD_INVALID',
    `Version ${version} is a deletion and has no content to bring back; use Delete`,
    { field: 'version' },
  );
}
