import { setTimeout as delay } from 'node:timers/promises';
import type { KeyValueStore } from '../../src/domain/store.ts';
import type { SoakOptions } from './options.ts';

/** What has been written so far. */
export interface Written {
  readonly events: number;
  readonly revision: bigint;
  /** The newest version of each key, by the number of its prefix. */
  readonly versions: readonly ReadonlyMap<string, number>[];
  /** The revision of the newest change of each prefix. */
  readonly revisions: readonly bigint[];
}

/** A writer at work. */
export interface SoakWriter {
  readonly written: Written;
  /** Never resolves; rejects with what the store fails with. */
  readonly failed: Promise<never>;
}

/** How many writes are under way at a time. */
const LANES = 16;
/** How far ahead of the slowest subscriber it writes: the soak is not about subscribers that are slow. */
const MAX_LEAD = 3_000n;
const WRITE_TIMEOUT_MS = 30_000;
const LEAD_CHECK_MS = 10;

/** The prefix of a group of subscribers. */
export function prefixOfGroup(group: number): string {
  return `soak/${group}/`;
}

/** Starts to write. @param slowest where the slowest subscriber is. */
export function startSoakWriter(
  store: KeyValueStore,
  { events, groups, keys, batch }: SoakOptions,
  slowest: () => bigint,
  signal: AbortSignal,
): SoakWriter {
  const versions = Array.from({ length: groups }, () => new Map<string, number>());
  const revisions = Array.from({ length: groups }, () => 0n);
  let planned = 0;
  let written = 0;
  let revision = 0n;
  let turn = 0;

  async function write(count: number): Promise<void> {
    const group = turn % groups;
    const first = (turn * 7) % keys;
    turn += 1;
    const names = Array.from({ length: count }, (_, i) => `${prefixOfGroup(group)}${(first + i) % keys}`);
    const success = names.map(
      (name) => ({ kind: 'put', key: Buffer.from(name), value: Buffer.from(String(turn)) }) as const,
    );
    const answer = await store.txn(
      { kind: 'txn', compares: [], success, failure: [] },
      { signal: AbortSignal.any([signal, AbortSignal.timeout(WRITE_TIMEOUT_MS)]) },
    );
    if (answer.revision > revision) revision = answer.revision;
    if (answer.revision > (revisions[group] ?? 0n)) revisions[group] = answer.revision;
    for (const name of names) versions[group]?.set(name, (versions[group].get(name) ?? 0) + 1);
    written += count;
  }

  async function lane(): Promise<void> {
    while (planned < events) {
      const count = Math.min(1 + (turn % batch), events - planned);
      planned += count;
      await write(count);
      while (revision - slowest() > MAX_LEAD) await delay(LEAD_CHECK_MS, undefined, { signal });
    }
  }

  const failed = Promise.withResolvers<never>();
  // Who does not wait for it any more has no use for it.
  failed.promise.catch(() => {});
  Promise.all(Array.from({ length: LANES }, lane)).catch(failed.reject);
  return {
    failed: failed.promise,
    get written() {
      return { events: written, revision, versions, revisions };
    },
  };
}
