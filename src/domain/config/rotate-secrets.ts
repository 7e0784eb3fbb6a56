// Encrypting secrets with the current key: values and their history, in place. Nothing gets a new version by it.

import { writtenAt } from '../conditions.ts';
import { DomainError } from '../errors.ts';
import { type ListCursor, list } from '../reading/list.ts';
import type { AtRevision, KeyValue, KeyValueStore, Operation, OperationOptions } from '../store.ts';
import type { Cipher } from './cipher.ts';
import { type ItemName, isRecorded, itemId, recordedRevision } from './config-item.ts';
import type { ConfigKeys } from './config-keys.ts';
import { type Recorder, readState } from './recorder.ts';
import { entryValue, readEntry, recordValue } from './version-record.ts';

/** What it needs. */
export interface RotateDeps {
  readonly store: KeyValueStore;
  readonly keys: ConfigKeys;
  readonly cipher: Cipher;
  readonly recorder: Recorder;
}

/** What was done. */
export interface Rotated {
  readonly keyId: string;
  readonly rotatedCount: number;
  readonly unreadableCount: number;
}

type Outcome = 'kept' | 'rotated' | 'unreadable';

const PAGE_SIZE = 1_000;

/**
 * Encrypts again whatever is encrypted with another key than the current one.
 *
 * @param application undefined: of all.
 * Rejects with SECRET_KEY_UNKNOWN where there is no current key.
 */
export async function rotateSecrets(
  deps: RotateDeps,
  application: string | undefined,
  options: OperationOptions,
): Promise<AtRevision<Rotated>> {
  const { store, keys, cipher } = deps;
  const { currentKeyId } = cipher;
  if (currentKeyId === undefined)
    throw new DomainError('SECRET_KEY_UNKNOWN', 'There is no key to encrypt with; set CONCORD_SECRET_KEYS');
  const outcomes: Outcome[] = [];
  const items = new Map<string, ItemName>();
  const range = application === undefined ? keys.history : keys.historyOf(application);
  const query = { range, view: 'full', order: 'ascending', pageSize: PAGE_SIZE } as const;
  for (let cursor: ListCursor | undefined; ; ) {
    const freshness = { revision: 0n, serializable: false, minRevision: 0n };
    const page = await list(store, { ...query, ...freshness, cursor }, options);
    for (const kv of page.kvs) {
      const name = keys.readEntry(kv.key);
      if (name === undefined || readEntry(kv.value)?.record.isSecret !== true) continue;
      items.set(itemId(name), { application: name.application, profile: name.profile, key: name.key });
      outcomes.push(await rotateEntry(deps, name, kv, options));
    }
    if (page.next === undefined) break;
    cursor = page.next;
  }
  for (const name of items.values()) outcomes.push(await rotateItem(deps, name, options));
  // Behind everything that was written.
  const { revision } = await store.read({ kind: 'read', range, view: 'count' }, options);
  const count = (wanted: Outcome) => outcomes.filter((outcome) => outcome === wanted).length;
  return {
    revision,
    keyId: currentKeyId,
    rotatedCount: count('rotated'),
    unreadableCount: count('unreadable'),
  };
}

async function rotateEntry(
  { store, cipher }: RotateDeps,
  name: ItemName,
  kv: KeyValue,
  options: OperationOptions,
): Promise<Outcome> {
  const entry = readEntry(kv.value);
  // A deletion has no value.
  if (entry === undefined || entry.record.isDeleted) return 'kept';
  const value = encryptedAgain(cipher, name, entry.value);
  if (typeof value === 'string') return value;
  const put = { kind: 'put', key: kv.key, value: entryValue({ ...entry, value }) } as const;
  // One that is not as it was read was dropped, or encrypted again by another.
  const compares = [writtenAt(kv.key, kv.modRevision)];
  const { succeeded } = await store.txn({ kind: 'txn', compares, success: [put], failure: [] }, options);
  return succeeded ? 'rotated' : 'kept';
}

async function rotateItem(
  { store, keys, cipher, recorder }: RotateDeps,
  name: ItemName,
  options: OperationOptions,
): Promise<Outcome> {
  for (;;) {
    const state = await readState(store, keys, name, options);
    const { value: kv, record } = state;
    if (!isRecorded(state)) {
      await recorder.record(name, options);
      continue;
    }
    if (kv === undefined || record === undefined || !record.says.isSecret) return 'kept';
    const value = encryptedAgain(cipher, name, kv.value);
    if (typeof value === 'string') return value;
    const revision = record.says.revision || recordedRevision(record);
    const says = recordValue({ ...record.says, valueRevision: 0n, revision });
    const success: readonly Operation[] = [
      { kind: 'put', key: kv.key, value },
      { kind: 'put', key: keys.record(name), value: says },
    ];
    const compares = [writtenAt(kv.key, kv.modRevision), writtenAt(keys.record(name), record.modRevision)];
    const { succeeded } = await store.txn({ kind: 'txn', compares, success, failure: [] }, options);
    if (succeeded) return 'rotated';
  }
}

/** What another etcd client wrote over a secret is encrypted for the first time. */
function encryptedAgain(cipher: Cipher, name: ItemName, stored: Uint8Array): Uint8Array | Outcome {
  const keyId = cipher.keyIdOf(stored);
  if (keyId === cipher.currentKeyId) return 'kept';
  const value = keyId === undefined ? stored : cipher.decrypt(stored, itemId(name));
  return value === undefined ? 'unreadable' : cipher.encrypt(value, itemId(name));
}
