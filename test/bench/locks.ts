import { eventually } from '../support/eventually.ts';
import { countKeys } from './peers/etcd-json.ts';
import type { Bench } from './row.ts';

/** What the names of all locks of the bench begin with. */
export const LOCK_NAMES = 'bench-lock-';

/** What the keys of those locks begin with: as Concord has them, and as etcd's own lock service has them. */
const KEY_PREFIXES: readonly string[] = [`/concord/lock/${LOCK_NAMES}`, LOCK_NAMES];

/** How many keys there are of those who hold a lock or wait for it. */
export async function countInLine(bench: Bench, name: string): Promise<number> {
  const prefixes = [`/concord/lock/${name}/queue/`, `${name}/`];
  const { endpoint } = bench.peers.etcd;
  const counts = await Promise.all(prefixes.map((prefix) => countKeys(endpoint, prefix, bench)));
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Throws where, of locks that were all released, something is left in etcd. */
export async function expectNoLocks(bench: Bench): Promise<void> {
  for (const prefix of KEY_PREFIXES) {
    await eventually(async () => {
      const left = await countKeys(bench.peers.etcd.endpoint, prefix, bench);
      if (left > 0) throw new Error(`${left} keys of locks are left under ${prefix}`);
    });
  }
}
