import { type Entry, endOfPrefix } from '../calls/entries.ts';
import { toBase64 } from '../calls/etcd-calls.ts';
import { readPath } from '../calls/expect-answer.ts';

/** Below etcd's default limit of 128 operations in a transaction. */
const PUTS_AT_ONCE = 100;
/** What etcd says where nothing was written since the last compaction. */
const ALREADY_COMPACTED = 'required revision has been compacted';

/** Writes all entries. */
export async function seed(
  endpoint: string,
  entries: readonly Entry[],
  options: { signal: AbortSignal },
): Promise<void> {
  for (let start = 0; start < entries.length; start += PUTS_AT_ONCE) {
    const success = entries
      .slice(start, start + PUTS_AT_ONCE)
      .map(({ key, value }) => ({ request_put: { key: toBase64(key), value: toBase64(value) } }));
    await post(endpoint, '/v3/kv/txn', { success }, options);
  }
}

/** How often the keys under `prefix` were written since their creation, in sum. */
export async function countWrites(
  endpoint: string,
  prefix: string,
  options: { signal: AbortSignal },
): Promise<number> {
  const range = { key: toBase64(prefix), range_end: toBase64(endOfPrefix(prefix)), keys_only: true };
  const kvs = readPath(await post(endpoint, '/v3/kv/range', range, options), 'kvs');
  if (!Array.isArray(kvs)) return 0;
  return kvs.reduce<number>((sum, kv) => sum + Number(readPath(kv, 'version')), 0);
}

/** How many keys there are under `prefix`. */
export async function countKeys(
  endpoint: string,
  prefix: string,
  options: { signal: AbortSignal },
): Promise<number> {
  const range = { key: toBase64(prefix), range_end: toBase64(endOfPrefix(prefix)), count_only: true };
  return Number(readPath(await post(endpoint, '/v3/kv/range', range, options), 'count') ?? 0);
}

/** How many leases there are. */
export async function countLeases(endpoint: string, options: { signal: AbortSignal }): Promise<number> {
  const leases = readPath(await post(endpoint, '/v3/lease/leases', {}, options), 'leases');
  return Array.isArray(leases) ? leases.length : 0;
}

/** Drops all history, and resolves when that work is done. */
export async function compact(endpoint: string, options: { signal: AbortSignal }): Promise<void> {
  const status = await post(endpoint, '/v3/maintenance/status', {}, options);
  const revision = readPath(status, 'header', 'revision');
  await post(endpoint, '/v3/kv/compaction', { revision, physical: true }, options).catch((error: unknown) => {
    if (!String(error).includes(ALREADY_COMPACTED)) throw error;
  });
}

async function post(
  endpoint: string,
  path: string,
  body: object,
  options: { signal: AbortSignal },
): Promise<unknown> {
  const { signal } = options;
  const response = await fetch(`${endpoint}${path}`, { method: 'POST', body: JSON.stringify(body), signal });
  const text = await response.text();
  if (!response.ok) throw new Error(`etcd answered ${response.status} to ${path}: ${text}`);
  return JSON.parse(text);
}
