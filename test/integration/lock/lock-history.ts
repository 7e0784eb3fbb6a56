// What became of locks, read from the history of the store itself and not from what the gateways say: the keys that stand for those
// who wait and hold, and the counters that holders write. Keys are read here anew, so that nothing is shared with what is tested.

import { prefixRange } from '../../../src/domain/key-range.ts';
import type { StoreEvent } from '../../../src/domain/store.ts';
import { openEtcd } from '../../../src/etcd/open-etcd.ts';

/** What the history shows. */
export interface LockHistory {
  /** Rules that were broken, in words. */
  readonly faults: readonly string[];
  /** How often each lock was acquired. */
  readonly acquisitions: ReadonlyMap<string, number>;
  /** What each counter is at the end: so often it was raised. */
  readonly counters: ReadonlyMap<string, number>;
}

/** Returns the key of the counter that goes with a lock. */
export function counterKey(name: string): string {
  return `counter/${name}`;
}

interface Lock {
  /** The revisions at which the keys in the queue were created, by key. */
  readonly queue: Map<string, bigint>;
  readonly holders: Set<bigint>;
  lastToken: bigint;
  acquisitions: number;
}

/** Holds the changes of each revision against the rules. */
export class LockHistoryCheck implements LockHistory {
  readonly faults: string[] = [];
  readonly counters = new Map<string, number>();
  readonly #permits: number;
  readonly #locks = new Map<string, Lock>();

  /** @param permits how many may hold each of the locks at once */
  constructor(permits: number) {
    this.#permits = permits;
  }

  get acquisitions(): ReadonlyMap<string, number> {
    return new Map([...this.#locks].map(([name, { acquisitions }]) => [name, acquisitions]));
  }

  /** Takes all changes of one revision. */
  take(revision: bigint, events: readonly StoreEvent[]): void {
    const acquired: { readonly name: string; readonly lock: Lock; readonly token: bigint }[] = [];
    for (const event of events) {
      const key = Buffer.from(event.kind === 'put' ? event.kv.key : event.key).toString();
      const [, name = '', kind, number = ''] =
        /^\/concord\/lock\/([^/]+)\/(holder|queue)\/(?:\w+\/)?(\d+)$/.exec(key) ?? [];
      const lock = this.#lockOf(name);
      if (kind === 'queue') {
        if (event.kind === 'put') lock.queue.set(key, event.kv.createRevision);
        else lock.queue.delete(key);
      } else if (kind === 'holder') {
        const token = BigInt(number);
        if (event.kind === 'delete') lock.holders.delete(token);
        else if (!lock.holders.has(token)) acquired.push({ name, lock, token });
      }
    }
    for (const { name, lock, token } of acquired) this.#acquire(revision, name, lock, token);
    for (const event of events) if (event.kind === 'put') this.#count(revision, event);
  }

  #acquire(revision: bigint, name: string, lock: Lock, token: bigint): void {
    lock.holders.add(token);
    lock.acquisitions += 1;
    const places = [...lock.queue.values()];
    const ahead = places.filter((place) => place < token).length;
    const fault = (text: string) =>
      this.faults.push(`revision ${revision}, lock ${name}, token ${token}: ${text}`);
    if (lock.holders.size > this.#permits) fault(`one of ${lock.holders.size} holders`);
    if (ahead >= this.#permits) fault(`${ahead} came before it and are there`);
    if (!places.includes(token)) fault('it has no place in the queue');
    if (this.#permits === 1 && token <= lock.lastToken) fault(`it follows on ${lock.lastToken}`);
    lock.lastToken = token;
  }

  #count(revision: bigint, { kv }: Extract<StoreEvent, { readonly kind: 'put' }>): void {
    const [, name] = /^counter\/([^/]+)$/.exec(Buffer.from(kv.key).toString()) ?? [];
    if (name === undefined) return;
    const before = this.counters.get(name) ?? 0;
    const value = Number(Buffer.from(kv.value).toString());
    const fault = (text: string) => this.faults.push(`revision ${revision}, counter of ${name}: ${text}`);
    if (value !== before + 1) fault(`${value} after ${before}`);
    if (this.#lockOf(name).holders.size === 0) fault(`${value} while nobody holds the lock`);
    this.counters.set(name, value);
  }

  #lockOf(name: string): Lock {
    const known = this.#locks.get(name);
    if (known !== undefined || name === '') return known ?? newLock();
    const lock = newLock();
    this.#locks.set(name, lock);
    return lock;
  }
}

/** Reads all that has happened in a store since `fromRevision`. @param permits how many may hold each of the locks at once */
export async function readLockHistory(
  endpoints: readonly string[],
  { permits = 1, fromRevision = 1n }: { readonly permits?: number; readonly fromRevision?: bigint } = {},
): Promise<LockHistory> {
  await using etcd = openEtcd({ endpoints });
  const everything = prefixRange(new Uint8Array());
  const signal = AbortSignal.timeout(120_000);
  const { revision: newest } = await etcd.store.read(
    { kind: 'read', range: everything, view: 'count' },
    { signal },
  );
  const check = new LockHistoryCheck(permits);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const reached = (revision: bigint) => {
    if (revision >= newest) resolve();
  };
  signal.addEventListener('abort', () => reject(signal.reason));
  const watch = etcd.watches.open(
    { range: everything, fromRevision },
    {
      events(revision, events) {
        check.take(revision, events);
        reached(revision);
      },
      progress: reached,
      compacted: () => reject(new Error('the history was compacted')),
      failed: reject,
    },
  );
  try {
    await promise;
  } finally {
    watch.close();
  }
  return check;
}

function newLock(): Lock {
  return { queue: new Map(), holders: new Set(), lastToken: 0n, acquisitions: 0 };
}
