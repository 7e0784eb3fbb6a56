// What one edit of an item comes to: its change, and the operations that make it.

import type { Clock } from '../clock.ts';
import { compareKeys, singleKey } from '../key-range.ts';
import type { Operation } from '../store.ts';
import { type ConfigChange, type ConfigItem, type ItemName, type ItemState, itemOf } from './config-item.ts';
import type { ConfigKeys } from './config-keys.ts';
import type { ContentType, Documents } from './document.ts';
import { revisionMismatch } from './revision-mismatch.ts';
import { type KeySchema, requireValid } from './schemas.ts';
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

/** What an edit comes to. */
export interface PlannedEdit {
  /** As of a revision that is not known yet: 0n. */
  readonly change: ConfigChange;
  readonly state: ItemState;
  readonly operations: readonly Operation[];
}

/** What it needs. */
export interface PlanDeps {
  readonly clock: Clock;
  readonly keys: ConfigKeys;
  readonly documents: Documents;
  readonly vault: Vault;
}

/** What an edit is planned from. */
export interface PlanContext {
  readonly author: string;
  readonly comment: string;
  /** Whether an item that would be as it is gets no new version. */
  readonly skipUnchanged: boolean;
  readonly schemas: readonly KeySchema[];
  /** Whether values were checked before, and are not again. */
  readonly isChecked: boolean;
}

/**
 * Returns what an edit of an item comes to; undefined: it changes nothing.
 *
 * Throws REVISION_MISMATCH, CONFIG_VALUE_INVALID or SECRET_KEY_UNKNOWN.
 */
export function planEdit(
  deps: PlanDeps,
  { author, comment, skipUnchanged, schemas, isChecked }: PlanContext,
  state: ItemState,
  edit: Edit,
): PlannedEdit | undefined {
  const { name } = state;
  const previous = itemOf(state);
  if (edit.expectedRevision !== undefined && edit.expectedRevision !== (previous?.revision ?? 0n))
    throw revisionMismatch(state, edit.expectedRevision);
  if (edit.kind === 'delete' && previous === undefined) return undefined;

  const isDeleted = edit.kind === 'delete';
  const contentType = (isDeleted ? undefined : edit.contentType) ?? previous?.contentType ?? 'text';
  const isSecret = (isDeleted ? undefined : edit.isSecret) ?? previous?.isSecret ?? false;
  if (!isDeleted) {
    if (!isChecked) requireValid(deps.documents, schemas, { name, contentType, value: edit.value });
    const isSame = previous?.contentType === contentType && previous.isSecret === isSecret;
    if (skipUnchanged && isSame && holds(deps, previous, edit.value)) return undefined;
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
    externalRevision: 0n,
  });
  return [
    says.isDeleted
      ? { kind: 'delete', range: singleKey(keys.value(name)) }
      : { kind: 'put', key: keys.value(name), value },
    { kind: 'put', key: keys.record(name), value: recordValue(says) },
    { kind: 'put', key: entry, value: entryValue({ record: says, value }) },
  ];
}

/** Whether an item has a value already. A secret whose key is not known here has another. */
function holds({ vault }: PlanDeps, item: ConfigItem, value: Uint8Array): boolean {
  const held = vault.open(item, item.value, item.isSecret);
  const isPlain = item.isSecret && !vault.isEncrypted(item.value);
  return held !== undefined && !isPlain && compareKeys(held, value) === 0;
}
