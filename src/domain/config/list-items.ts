// The items of a profile page by page, all pages at one revision.

import type { Freshness } from '../reading/fresh-read.ts';
import { type ListCursor, list } from '../reading/list.ts';
import { readKeys } from '../reading/read-keys.ts';
import type { AtRevision, KeyValueStore, OperationOptions } from '../store.ts';
import { compareTexts } from '../text-order.ts';
import { type ConfigItem, itemOf } from './config-item.ts';
import type { ConfigKeys } from './config-keys.ts';
import type { ConfigMemory } from './config-memory.ts';
import { stateOf } from './recorder.ts';

/** Which items. */
export interface ListItemsQuery extends Freshness {
  readonly application: string;
  readonly profile: string;
  /** What their keys begin with. */
  readonly prefix: string;
  readonly pageSize: number;
  readonly cursor: ListCursor | undefined;
}

/** One page. */
export type ItemsPage = AtRevision<{
  readonly items: readonly ConfigItem[];
  readonly totalSize: bigint;
  readonly next: ListCursor | undefined;
}>;

/** What it needs. */
export interface ListItemsDeps {
  readonly store: KeyValueStore;
  readonly keys: ConfigKeys;
  readonly memory: ConfigMemory;
}

/** What memory answers in one piece is smaller. */
const MAX_BYTES = 1_048_576;

/** Lists items, in the order of their keys. Rejects as {@link list} does. */
export async function listItems(
  deps: ListItemsDeps,
  query: ListItemsQuery,
  options: OperationOptions,
): Promise<ItemsPage> {
  const remembered =
    query.serializable && query.cursor === undefined ? await fromMemory(deps, query, options) : undefined;
  return remembered ?? fromStore(deps, query, options);
}

/** Undefined: it is more than one page. */
async function fromMemory(
  { memory }: ListItemsDeps,
  { application, profile, prefix, pageSize, ...freshness }: ListItemsQuery,
  options: OperationOptions,
): Promise<ItemsPage | undefined> {
  const { value, revision } = await memory.fresh(
    application,
    () => [...memory.items(application, profile).values()].filter(({ key }) => key.startsWith(prefix)),
    freshness,
    options,
  );
  const bytes = value.reduce((sum, item) => sum + item.value.length, 0);
  if (value.length > pageSize || bytes > MAX_BYTES) return undefined;
  const items = value.sort((a, b) => compareTexts(a.key, b.key));
  return { items, totalSize: BigInt(items.length), next: undefined, revision };
}

async function fromStore(
  { store, keys }: ListItemsDeps,
  { application, profile, prefix, ...page }: ListItemsQuery,
  options: OperationOptions,
): Promise<ItemsPage> {
  const range = keys.values(application, profile, prefix);
  const query = { ...page, range, view: 'full', order: 'ascending', revision: 0n } as const;
  const { kvs, totalSize, next, revision } = await list(store, query, options);
  const values = kvs.flatMap((kv) => {
    const name = keys.readItem(kv.key)?.name;
    return name === undefined ? [] : [{ name, kv }];
  });
  const records = await readKeys(
    store,
    values.map(({ name }) => keys.record(name)),
    options,
    revision,
  );
  const items = values.flatMap(({ name, kv }, i) => itemOf(stateOf(name, kv, records[i])) ?? []);
  return { items, totalSize, next, revision };
}
