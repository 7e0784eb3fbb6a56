// How two states of configuration differ.

import { compareKeys } from '../key-range.ts';
import { revisionInFuture } from '../reading/fresh-read.ts';
import { type ListCursor, list } from '../reading/list.ts';
import { readKeys } from '../reading/read-keys.ts';
import type { AtRevision, KeyValue, OperationOptions } from '../store.ts';
import { compareTexts } from '../text-order.ts';
import type { ConfigChange, ConfigItem } from './config-item.ts';
import type { EntryName } from './config-keys.ts';
import { type HistoryDeps, type ItemVersion, versionIn, versionNotFound } from './history.ts';
import type { Vault } from './vault.ts';

/** What is there under one key, in two states. */
export interface Pair {
  readonly from: ConfigItem | undefined;
  readonly to: ConfigItem | undefined;
}

/** A version in the history, without its value. */
interface Entry {
  readonly name: EntryName;
  readonly kv: KeyValue;
}

const PAGE_SIZE = 1_000;

/** Returns what would have to change for each pair to be equal; what is equal is left out. */
export function changesBetween(pairs: Iterable<Pair>, vault: Vault): readonly ConfigChange[] {
  const changes: ConfigChange[] = [];
  for (const { from, to } of pairs) {
    if (from === undefined && to !== undefined)
      changes.push({ type: 'created', item: to, previous: undefined });
    else if (from !== undefined && to === undefined)
      changes.push({ type: 'deleted', item: { ...from, value: new Uint8Array() }, previous: from });
    else if (from !== undefined && to !== undefined && !isSame(from, to, vault))
      changes.push({ type: 'updated', item: to, previous: from });
  }
  return changes;
}

/** Returns the item that a version is; undefined: it is a deletion. */
export function itemOfVersion({ name, ...version }: ItemVersion): ConfigItem | undefined {
  return version.isDeleted ? undefined : { ...name, ...version };
}

/** Returns pairs of the items of two profiles, in the order of their keys. */
export function pairsOf(
  from: ReadonlyMap<string, ConfigItem>,
  to: ReadonlyMap<string, ConfigItem>,
): readonly Pair[] {
  const keys = [...new Set([...from.keys(), ...to.keys()])].sort(compareTexts);
  return keys.map((key) => ({ from: from.get(key), to: to.get(key) }));
}

/**
 * Reads how the items of a profile were at two revisions, as far as they differ, in the order of their keys. The history says it,
 * whatever etcd has compacted away.
 *
 * Rejects with CONFIG_VERSION_NOT_FOUND where a version is not kept any more, and with REVISION_IN_FUTURE.
 */
export async function pairsAt(
  deps: HistoryDeps,
  application: string,
  profile: string,
  { from, to }: { readonly from: bigint; readonly to: bigint },
  options: OperationOptions,
): Promise<AtRevision<{ readonly pairs: readonly Pair[] }>> {
  const { entries, revision } = await listEntries(deps, application, profile, options);
  for (const each of [from, to]) if (each > revision) throw revisionInFuture(each, revision);
  const differing: { readonly from: KeyValue | undefined; readonly to: KeyValue | undefined }[] = [];
  for (const [, versions] of [...entries].sort(([a], [b]) => compareTexts(a, b))) {
    const [was, is] = [from, to || revision].map((at) => newestAt(versions, at));
    if (was !== is) differing.push({ from: was?.kv, to: is?.kv });
  }
  const wanted = differing.flatMap((pair) => [pair.from, pair.to]).filter((kv) => kv !== undefined);
  const found = await readAll(deps, wanted, options);
  const itemIn = (kv: KeyValue | undefined) => {
    const version = kv && found.get(kv);
    return version && itemOfVersion(version);
  };
  return { pairs: differing.map((pair) => ({ from: itemIn(pair.from), to: itemIn(pair.to) })), revision };
}

/** Lists the history of a profile, without values, by key, in the order of versions. */
async function listEntries(
  { store, keys }: HistoryDeps,
  application: string,
  profile: string,
  options: OperationOptions,
): Promise<{ readonly entries: ReadonlyMap<string, readonly Entry[]>; readonly revision: bigint }> {
  const range = keys.historyOf(application, profile);
  const query = { range, view: 'keys', order: 'ascending', pageSize: PAGE_SIZE } as const;
  const entries = new Map<string, Entry[]>();
  for (let cursor: ListCursor | undefined; ; ) {
    const freshness = { revision: 0n, serializable: false, minRevision: 0n };
    const page = await list(store, { ...query, ...freshness, cursor }, options);
    for (const kv of page.kvs) {
      const name = keys.readEntry(kv.key);
      if (name === undefined) continue;
      const versions = entries.get(name.key);
      if (versions === undefined) entries.set(name.key, [{ name, kv }]);
      else versions.push({ name, kv });
    }
    if (page.next === undefined) return { entries, revision: page.revision };
    cursor = page.next;
  }
}

/** The newest version at a revision; undefined: there was none yet. Throws CONFIG_VERSION_NOT_FOUND where that is not known. */
function newestAt(versions: readonly Entry[], revision: bigint): Entry | undefined {
  const newest = versions.findLast(
    ({ name, kv }) => (name.externalRevision || kv.createRevision) <= revision,
  );
  const name = versions[0]?.name;
  if (newest === undefined && name !== undefined && name.version > 1)
    throw versionNotFound(name, name.version - 1);
  return newest;
}

async function readAll(
  { store, keys }: HistoryDeps,
  wanted: readonly KeyValue[],
  options: OperationOptions,
): Promise<ReadonlyMap<KeyValue, ItemVersion>> {
  const found = await readKeys(
    store,
    wanted.map(({ key }) => key),
    options,
  );
  const versions = new Map<KeyValue, ItemVersion>();
  for (const [i, kv] of wanted.entries()) {
    const read = found[i];
    const version = read && versionIn(keys, read);
    const name = keys.readEntry(kv.key);
    if (version !== undefined) versions.set(kv, version);
    // It was old enough to be dropped meanwhile.
    else if (name !== undefined) throw versionNotFound(name, name.version);
  }
  return versions;
}

function isSame(a: ConfigItem, b: ConfigItem, vault: Vault): boolean {
  if (a.contentType !== b.contentType || a.isSecret !== b.isSecret) return false;
  const [one, other] = [a, b].map((item) => vault.open(item, item.value, item.isSecret));
  return one !== undefined && other !== undefined && compareKeys(one, other) === 0;
}
