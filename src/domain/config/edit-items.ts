// Writing items: value, record and history entry of each in one transaction, which happens only if nobody has changed what it
// was worked out from.

import type { Clock } from '../clock.ts';
import { DomainError } from '../errors.ts';
import type { Fence } from '../fence.ts';
import { compareKeys, singleKey } from '../key-range.ts';
import type { KeyValueStore, Operation, OperationOptions } from '../store.ts';
import { delay } from '../watch/delay.ts';
import { conditionalTxn, type Expectation } from '../writing/conditional-txn.ts';
import { nested } from '../writing/nested-txn.ts';
import {
  type ConfigChange,
  type ConfigItem,
  type ItemName,
  type ItemState,
  isRecorded,
  itemOf,
} from './config-item.ts';
import type { ConfigKeys } from './config-keys.ts';
import type { ConfigMemory } from './config-memory.ts';
import type { ContentType, Documents } from './document.ts';
import { type Recorder, stateOf } from './recorder.ts';
import { type KeySchema, readSchemas, requireValid, schemasIn, schemasRead } from './schemas.ts';
import type { Vault } from './vault.ts';
import { entryValue, recordValue, type VersionRecord } from './version-record.ts';

/** What to do to one item. `expectedRevision` undefined: whatever it is. */
export type Edit =
  | {
      readonly kind: 'put';
      readonly key: string;
      readonly value: Uint8Array;
      /** Undefined: as it is; of a new item text. */
      readonly contentType: ContentType | undefined;
      /** Undefined: as it is; of a new item not. */
      readonly isSecret: boolean | undefined;
      readonly expectedRevision: bigint | undefined;
      /** The version whose content this is. @default none */
      readonly rollbackOf?: number;
    }
  | { readonly kind: 'delete'; readonly key: string; readonly expectedRevision: bigint | undefined };

/** Who changes something, why, and under which conditions. */
export interface EditConditions {
  readonly author: string;
  readonly comment: string;
  readonly fence: Fence | undefined;
  /** No item of the application and profile was changed after it; 0n: there is none. Undefined: whatever there is. */
  readonly expectedRevision?: bigint | undefined;
}

/** Items to write. */
export interface EditRequest extends EditConditions {
  readonly application: string;
  readonly profile: string;
  readonly edits: readonly Edit[];
  /** Whether an item that would be as it is gets no new version. */
  readonly skipUnchanged: boolean;
  readonly isDryRun: boolean;
}

/** What was written, or would be. */
export interface Edited {
  /** At which it was written; where nothing was, at which that is true. */
  readonly revision: bigint;
  readonly changes: readonly ConfigChange[];
}

/** What it needs. */
export interface EditDeps {
  readonly store: KeyValueStore;
  readonly clock: Clock;
  readonly keys: ConfigKeys;
  readonly documents: Documents;
  readonly vault: Vault;
  readonly memory: ConfigMemory;
  readonly recorder: Recorder;
  readonly random: () => number;
}

/** So many are read, and compared, key by key; of more the whole profile is. */
const MAX_SINGLE = 50;
const ATTEMPTS = 100;
const MAX_DELAY_MS = 50;
/** What etcd takes in one request (--max-request-bytes), less what surrounds it. */
const MAX_REQUEST_BYTES = 1_572_864;
const OPERATION_BYTES = 32;

/** What a change is worked out from. */
interface Before {
  readonly revision: bigint;
  readonly schemas: readonly KeySchema[];
  /** At which the schemas were read. */
  readonly schemasRevision: bigint;
  readonly states: ReadonlyMap<string, ItemState>;
  /** All that is known of the profile, where it was read. */
  readonly profile: readonly ItemState[] | undefined;
}

interface Planned {
  readonly change: ConfigChange;
  readonly state: ItemState;
  readonly operations: readonly Operation[];
}

/**
 * Writes items, all at one revision, or none.
 *
 * Rejects with REVISION_MISMATCH, FENCE_LOST, KEY_DUPLICATE, CONFIG_VALUE_INVALID, SECRET_KEY_UNKNOWN, REQUEST_TOO_LARGE or
 * TOO_MANY_OPERATIONS, and as the store does.
 */
export async function editItems(
  deps: EditDeps,
  request: EditRequest,
  options: OperationOptions,
): Promise<Edited> {
  requireDistinct(request.edits);
  for (let attempt = 1; ; attempt++) {
    const before = await read(deps, request, options);
    requireUnchanged(request, before);
    const planned = request.edits.flatMap((edit) => plan(deps, request, before, edit) ?? []);
    const changes = planned.map(({ change }) => change);
    if (request.isDryRun || planned.length === 0) return { revision: before.revision, changes };
    try {
      const { revision } = await write(deps, request, before, planned, options);
      return { revision, changes: changes.map((change) => at(change, revision)) };
    } catch (error) {
      const isRaced = error instanceof DomainError && error.reason === 'REVISION_MISMATCH';
      if (!isRaced || attempt === ATTEMPTS) throw error;
      await delay(deps.clock, deps.random() * Math.min(attempt, MAX_DELAY_MS), options);
    }
  }
}

/** Reads what is there, when all that others have changed of it is recorded. */
async function read(
  deps: EditDeps,
  { application, profile, edits, expectedRevision }: EditRequest,
  options: OperationOptions,
): Promise<Before> {
  const { memory, recorder } = deps;
  const names = edits.map(({ key }): ItemName => ({ application, profile, key }));
  for (;;) {
    const isWhole = names.length > MAX_SINGLE || expectedRevision !== undefined;
    const before = isWhole ? await readWhole(deps, names, options) : await readSingle(deps, names, options);
    const unrecorded = [...before.states.values()].filter((state) => !isRecorded(state));
    if (unrecorded.length === 0) return before;
    memory.follow();
    for (const { name } of unrecorded) await recorder.record(name, options);
  }
}

async function readSingle(
  { store, keys }: EditDeps,
  names: readonly ItemName[],
  options: OperationOptions,
): Promise<Before> {
  const reads = names.flatMap((name) =>
    [keys.value(name), keys.record(name)].map((key) => ({ kind: 'read', range: singleKey(key) }) as const),
  );
  const schemas = schemasRead(keys, names[0]?.application ?? '');
  const { results, revision } = await store.txn(
    { kind: 'txn', compares: [], success: [schemas, ...reads], failure: [] },
    options,
  );
  const [found = [], ...kvs] = results.map((result) => (result.kind === 'read' ? result.kvs : []));
  const states = names.map((name, i) => stateOf(name, kvs[2 * i]?.[0], kvs[2 * i + 1]?.[0]));
  return {
    revision,
    schemas: schemasIn(keys, found),
    schemasRevision: revision,
    states: new Map(states.map((state) => [state.name.key, state])),
    profile: undefined,
  };
}

async function readWhole(
  { store, keys, memory }: EditDeps,
  names: readonly ItemName[],
  options: OperationOptions,
): Promise<Before> {
  const [{ application, profile } = { application: '', profile: '' }] = names;
  // A schema that is set after they were read is found by the condition on them.
  const { schemas, revision: schemasRevision } = await readSchemas(store, keys, application, options);
  const { value, revision } = await memory.exactly(
    application,
    () => ({
      states: new Map(names.map((name) => [name.key, memory.state(name)])),
      profile: memory.states(application, profile),
    }),
    options,
  );
  return { revision, schemas, schemasRevision, ...value };
}

/** Throws REVISION_MISMATCH where the profile was changed after the revision that the request expects. */
function requireUnchanged({ expectedRevision }: EditRequest, { profile }: Before): void {
  if (expectedRevision === undefined || profile === undefined) return;
  for (const state of profile) {
    const revision = changeRevision(state);
    const isMet = expectedRevision === 0n ? state.value === undefined : revision <= expectedRevision;
    if (!isMet) throw revisionMismatch(state, expectedRevision);
  }
}

/** Returns what an edit comes to; undefined: it changes nothing. */
function plan(
  deps: EditDeps,
  request: EditRequest,
  { schemas, states }: Before,
  edit: Edit,
): Planned | undefined {
  const { application, profile, author, comment } = request;
  const name: ItemName = { application, profile, key: edit.key };
  const state = states.get(edit.key) ?? { name, value: undefined, record: undefined };
  const previous = itemOf(state);
  if (edit.expectedRevision !== undefined && edit.expectedRevision !== (previous?.revision ?? 0n))
    throw revisionMismatch(state, edit.expectedRevision);
  if (edit.kind === 'delete' && previous === undefined) return undefined;

  const isDeleted = edit.kind === 'delete';
  const contentType = (isDeleted ? undefined : edit.contentType) ?? previous?.contentType ?? 'text';
  const isSecret = (isDeleted ? undefined : edit.isSecret) ?? previous?.isSecret ?? false;
  if (!isDeleted) {
    requireValid(deps.documents, schemas, { name, contentType, value: edit.value });
    const isSame = previous?.contentType === contentType && previous.isSecret === isSecret;
    if (request.skipUnchanged && isSame && holds(deps, previous, edit.value)) return undefined;
  }
  const says: VersionRecord = {
    version: (state.record?.says.version ?? 0) + 1,
    contentType,
    author,
    comment,
    updateWallMs: deps.clock.wallMs(),
    isSecret,
    isDeleted,
    isExternal: false,
    rollbackOf: (edit.kind === 'put' ? edit.rollbackOf : undefined) ?? 0,
    valueRevision: 0n,
    revision: 0n,
  };
  const value = isDeleted ? new Uint8Array() : deps.vault.store(name, edit.value, isSecret);
  const { version, updateWallMs } = says;
  const item = {
    ...name,
    value,
    contentType,
    version,
    author,
    comment,
    updateWallMs,
    isSecret,
    revision: 0n,
  };
  const type = isDeleted ? 'deleted' : previous === undefined ? 'created' : 'updated';
  return { state, change: { type, item, previous }, operations: operationsOf(deps.keys, name, says, value) };
}

/** Writes a version: the value, what is known of it, and both into the history. */
function operationsOf(
  keys: ConfigKeys,
  name: ItemName,
  says: VersionRecord,
  value: Uint8Array,
): readonly Operation[] {
  const entry = keys.entry({
    ...name,
    version: says.version,
    second: Math.floor(says.updateWallMs / 1_000),
  });
  return [
    says.isDeleted
      ? { kind: 'delete', range: singleKey(keys.value(name)) }
      : { kind: 'put', key: keys.value(name), value },
    { kind: 'put', key: keys.record(name), value: recordValue(says) },
    { kind: 'put', key: entry, value: entryValue({ record: says, value }) },
  ];
}

async function write(
  { store, keys }: EditDeps,
  { application, profile, fence }: EditRequest,
  { revision, schemasRevision, profile: whole }: Before,
  planned: readonly Planned[],
  options: OperationOptions,
): Promise<{ readonly revision: bigint }> {
  const read = (range: Expectation['range']): Expectation => ({ range, expectedRevision: revision });
  const items =
    whole === undefined
      ? planned.flatMap(({ state: { name, value, record } }): Expectation[] => [
          { range: singleKey(keys.value(name)), expectedRevision: value?.modRevision ?? 0n },
          { range: singleKey(keys.record(name)), expectedRevision: record?.modRevision ?? 0n },
        ])
      : [read(keys.values(application, profile)), read(keys.records(application, profile))];
  const schemas = { range: keys.schemasOf(application), expectedRevision: schemasRevision };
  const expectations = [...items, schemas];
  const operations = planned.flatMap((each) => each.operations);
  requireFits(operations);
  const conditions = expectations.length + (fence === undefined ? 0 : 1);
  return conditionalTxn(store, nested(operations, conditions), { fence, expectations }, options);
}

/** Whether an item has a value already. A secret whose key is not known here has another. */
function holds({ vault }: EditDeps, item: ConfigItem, value: Uint8Array): boolean {
  const held = vault.open(item, item.value, item.isSecret);
  const isPlain = item.isSecret && !vault.isEncrypted(item.value);
  return held !== undefined && !isPlain && compareKeys(held, value) === 0;
}

function at(change: ConfigChange, revision: bigint): ConfigChange {
  return { ...change, item: { ...change.item, revision } };
}

function requireDistinct(edits: readonly Edit[]): void {
  const keys = new Set<string>();
  for (const { key } of edits) {
    if (keys.has(key))
      throw new DomainError('KEY_DUPLICATE', `Key "${key}" is named twice; name each key once`, { key });
    keys.add(key);
  }
}

function requireFits(operations: readonly Operation[]): void {
  let bytes = 0;
  for (const operation of operations) {
    bytes += OPERATION_BYTES;
    if (operation.kind === 'put') bytes += operation.key.length + operation.value.length;
  }
  if (bytes > MAX_REQUEST_BYTES) throw tooLarge(bytes);
}

function tooLarge(bytes: number): DomainError {
  return new DomainError(
    'REQUEST_TOO_LARGE',
    `With their history the items take ${bytes} bytes, more than the ${MAX_REQUEST_BYTES} that etcd takes at once; write fewer of them`,
    { limit_bytes: String(MAX_REQUEST_BYTES) },
  );
}

/** The revision of the last change of an item, its deletion included. */
function changeRevision({ value, record }: ItemState): bigint {
  if (record !== undefined && record.says.revision !== 0n) return record.says.revision;
  return value?.modRevision ?? record?.modRevision ?? 0n;
}

/** Says who was first. */
function revisionMismatch(state: ItemState, expectedRevision: bigint): DomainError {
  const { application, profile, key } = state.name;
  const says = state.record?.says;
  const actual = state.value === undefined ? 0n : changeRevision(state);
  const version = String(says?.version ?? 0);
  const by = says === undefined || says.author === '' ? '' : ` by "${says.author}"`;
  const what =
    actual === 0n && says === undefined
      ? 'does not exist'
      : actual === 0n
        ? `was deleted${by} (version ${version})`
        : `was last changed at revision ${actual}${by} (version ${version})`;
  return new DomainError(
    'REVISION_MISMATCH',
    `Item "${key}" of "${application}" ${what}, expected ${expectedRevision}; nothing was written. Read it again`,
    {
      application,
      profile,
      key,
      author: says?.author ?? '',
      version,
      expected_revision: String(expectedRevision),
      actual_revision: String(actual),
    },
  );
}
