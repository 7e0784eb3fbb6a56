// Writing items: value, record and history entry of each in one transaction, which happens only if nobody has changed what it
// was worked out from.

import type { Clock } from '../clock.ts';
import { DomainError } from '../errors.ts';
import type { Fence } from '../fence.ts';
import { type KeyRange, singleKey } from '../key-range.ts';
import type { KeyValueStore, Operation, OperationOptions } from '../store.ts';
import { delay } from '../watch/delay.ts';
import { conditionalTxn, type Expectation } from '../writing/conditional-txn.ts';
import { nested } from '../writing/nested-txn.ts';
import type { ConfigChange, ItemName, ItemState } from './config-item.ts';
import type { ConfigKeys } from './config-keys.ts';
import type { ConfigMemory } from './config-memory.ts';
import type { Documents } from './document.ts';
import { inParts } from './in-parts.ts';
import { type Edit, type PlannedEdit, planEdit } from './plan-edit.ts';
import { type Recorder, stateOf } from './recorder.ts';
import { changeRevision, revisionMismatch } from './revision-mismatch.ts';
import { type KeySchema, readSchemas, schemasIn, schemasRead } from './schemas.ts';
import type { Vault } from './vault.ts';

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
  /** Set for a step of an import: what it writes was checked before. */
  readonly step?: StepKey;
}

/** A key that is deleted in the transaction that takes its step, so that a step is taken once. */
export interface StepKey {
  readonly key: Uint8Array;
  readonly modRevision: bigint;
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
/** What etcd takes in one request (--max-request-bytes). */
const MAX_REQUEST_BYTES = 1_572_864;
/** What a request has besides, a fence included. */
const SURROUNDING_BYTES = 8_192;
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
    const context = { ...request, schemas: before.schemas, isChecked: request.step !== undefined };
    const planned: PlannedEdit[] = [];
    const plan = (edit: Edit): boolean => {
      const each = planEdit(deps, context, stateIn(before, request, edit), edit);
      if (each !== undefined) planned.push(each);
      return true;
    };
    await inParts(request.edits, plan, deps.clock, options);
    const changes = planned.map(({ change }) => change);
    if (request.isDryRun || (planned.length === 0 && request.step === undefined))
      return { revision: before.revision, changes };
    try {
      const { revision } = await write(deps, request, before, planned, options);
      return { revision, changes: changes.map((change) => at(change, revision)) };
    } catch (error) {
      const isRaced = error instanceof DomainError && error.reason === 'REVISION_MISMATCH';
      if (!isRaced || attempt === ATTEMPTS) throw error;
      if (await isTaken(deps, request, options)) return { revision: before.revision, changes: [] };
      await delay(deps.clock, deps.random() * Math.min(attempt, MAX_DELAY_MS), options);
    }
  }
}

/** Reads what is there, when all that others have changed of it is recorded. */
async function read(deps: EditDeps, request: EditRequest, options: OperationOptions): Promise<Before> {
  const { memory, recorder } = deps;
  const { application, profile, edits, expectedRevision } = request;
  const names = edits.map(({ key }): ItemName => ({ application, profile, key }));
  for (;;) {
    const isWhole = names.length > MAX_SINGLE || expectedRevision !== undefined;
    const readNow = isWhole ? readWhole : readSingle;
    const before = await readNow(deps, request, names, options);
    const { revision } = before;
    const states = before.profile ?? [...before.states.values()];
    const unrecorded = states.filter((state) => recorder.hasUnrecorded({ ...state, revision }));
    if (unrecorded.length === 0) return before;
    memory.follow();
    for (const { name } of unrecorded) await recorder.record(name, options);
  }
}

async function readSingle(
  { store, keys }: EditDeps,
  { application }: EditRequest,
  names: readonly ItemName[],
  options: OperationOptions,
): Promise<Before> {
  const reads = names.flatMap((name) =>
    [keys.value(name), keys.record(name)].map((key) => ({ kind: 'read', range: singleKey(key) }) as const),
  );
  const schemas = schemasRead(keys, application);
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
  { application, profile }: EditRequest,
  names: readonly ItemName[],
  options: OperationOptions,
): Promise<Before> {
  // Each has a condition with the revision that it was read at: what changes after that is found by it.
  const [{ schemas, revision: schemasRevision }, { value, revision }] = await Promise.all([
    readSchemas(store, keys, application, options),
    memory.exactly(
      application,
      () => ({
        states: new Map(names.map((name) => [name.key, memory.state(name)])),
        profile: memory.states(application, profile),
      }),
      options,
    ),
  ]);
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

async function write(
  { store, keys }: EditDeps,
  { application, profile, fence, step }: EditRequest,
  { revision, schemasRevision, profile: whole }: Before,
  planned: readonly PlannedEdit[],
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
  const operations = planned.flatMap((each) => each.operations);
  const expectations = [...items];
  if (step === undefined) expectations.push(schemas);
  else {
    const range = singleKey(step.key);
    expectations.push({ range, expectedRevision: step.modRevision });
    operations.push({ kind: 'delete', range });
  }
  requireFits(operations, expectations);
  const conditions = expectations.length + (fence === undefined ? 0 : 1);
  return conditionalTxn(store, nested(operations, conditions), { fence, expectations }, options);
}

/** Whether another gateway has taken the step of an import. */
async function isTaken(
  { store }: EditDeps,
  { step }: EditRequest,
  options: OperationOptions,
): Promise<boolean> {
  if (step === undefined) return false;
  const { kvs } = await store.read({ kind: 'read', range: singleKey(step.key), view: 'keys' }, options);
  return kvs[0]?.modRevision !== step.modRevision;
}

function stateIn({ states }: Before, { application, profile }: EditRequest, { key }: Edit): ItemState {
  const name = { application, profile, key };
  return states.get(key) ?? { name, value: undefined, record: undefined };
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

/** Throws REQUEST_TOO_LARGE where etcd would, rather a little early than without the limit. */
function requireFits(operations: readonly Operation[], expectations: readonly Expectation[]): void {
  let bytes = SURROUNDING_BYTES;
  for (const operation of operations) {
    bytes += OPERATION_BYTES;
    if (operation.kind === 'put') bytes += operation.key.length + operation.value.length;
    else if (operation.kind === 'delete') bytes += rangeBytes(operation.range);
  }
  // Each is compared, and read where it is not met.
  for (const { range } of expectations) bytes += 2 * (OPERATION_BYTES + rangeBytes(range));
  if (bytes > MAX_REQUEST_BYTES) throw tooLarge(bytes);
}

function rangeBytes(range: KeyRange): number {
  return range.kind === 'key' ? range.key.length : range.start.length + (range.end?.length ?? 0);
}

function tooLarge(bytes: number): DomainError {
  return new DomainError(
    'REQUEST_TOO_LARGE',
    `With their history the items take ${bytes} bytes, more than the ${MAX_REQUEST_BYTES} that etcd takes at once; write fewer of them`,
    { limit_bytes: String(MAX_REQUEST_BYTES) },
  );
}
