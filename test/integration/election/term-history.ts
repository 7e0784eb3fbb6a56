// What became of an election, read from the history of the store itself and not from what the gateways say. Keys are read here anew, so
// that nothing is shared with what is tested.

import { prefixRange } from '../../../src/domain/key-range.ts';
import type { StoreEvent } from '../../../src/domain/store.ts';
import { openEtcd } from '../../../src/etcd/open-etcd.ts';

/** One leadership. */
export interface PastTerm {
  readonly token: bigint;
  readonly leaseId: bigint;
  /** The revision at which it was over; undefined while it lasts. */
  endRevision: bigint | undefined;
}

/** Returns the key that those who lead an election write their tokens to. */
export function fencedKey(election: string): string {
  return `fenced/${election}`;
}

/** Holds the changes of each revision against the rules of one election, whose name needs no escaping. */
export class TermHistory {
  /** Rules that were broken, in words. */
  readonly faults: string[] = [];
  /** By token, in order. */
  readonly terms = new Map<bigint, PastTerm>();
  /** The revisions at which fenced writes happened, and the tokens that they carried. */
  readonly writes = new Map<bigint, bigint>();
  readonly #election: string;
  /** The revisions at which the candidates came, by lease. */
  readonly #candidates = new Map<bigint, bigint>();
  #transfer: bigint | undefined;
  #term: PastTerm | undefined;

  constructor(election: string) {
    this.#election = election;
  }

  /** Takes all changes of one revision. */
  take(revision: bigint, events: readonly StoreEvent[]): void {
    const fault = (text: string) => this.faults.push(`revision ${revision}: ${text}`);
    const prefix = `/concord/election/${this.#election}/`;
    const ownEvents = events.map((event) => ({
      event,
      key: Buffer.from(event.kind === 'put' ? event.kv.key : event.key).toString(),
    }));
    for (const { event, key } of ownEvents) {
      if (key === `${prefix}leader`) this.#lead(revision, event, fault);
      if (key !== fencedKey(this.#election) || event.kind !== 'put') continue;
      const token = BigInt(Buffer.from(event.kv.value).toString());
      this.writes.set(revision, token);
      if (token !== this.#term?.token) fault(`${token} wrote in the term ${this.#term?.token}`);
    }
    for (const { event, key } of ownEvents) {
      const [, lease] = /candidate\/(\d+)$/.exec(key) ?? [];
      if (lease !== undefined && key.startsWith(prefix)) {
        if (event.kind === 'put') this.#candidates.set(BigInt(lease), event.kv.createRevision);
        else this.#candidates.delete(BigInt(lease));
      }
      if (key === `${prefix}transfer`) this.#transfer = event.kind === 'put' ? event.kv.leaseId : undefined;
    }
  }

  #lead(revision: bigint, event: StoreEvent, fault: (text: string) => void): void {
    if (event.kind === 'delete') {
      if (this.#term !== undefined) this.#term.endRevision = revision;
      this.#term = undefined;
      return;
    }
    const { createRevision: token, leaseId } = event.kv;
    if (token === this.#term?.token) {
      if (leaseId !== this.#term.leaseId) fault(`lease ${leaseId} takes the term ${token} of another one`);
      return;
    }
    if (this.#term !== undefined) fault(`the term ${token} begins within the term ${this.#term.token}`);
    if (token !== revision) fault(`the term ${token} is told of late`);
    const [first] = [...this.#candidates].toSorted(([, a], [, b]) => (a < b ? -1 : 1));
    const next = this.#transfer ?? first?.[0];
    if (leaseId !== next) fault(`lease ${leaseId} leads, and ${next} should`);
    this.#term = { token, leaseId, endRevision: undefined };
    this.terms.set(token, this.#term);
  }
}

/** Reads all that has happened in a store. */
export async function readTermHistory(endpoints: readonly string[], election: string): Promise<TermHistory> {
  await using etcd = openEtcd({ endpoints });
  const range = prefixRange(new Uint8Array());
  const signal = AbortSignal.timeout(60_000);
  const { revision: newest } = await etcd.store.read({ kind: 'read', range, view: 'count' }, { signal });
  const history = new TermHistory(election);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => reject(signal.reason));
  const reached = (revision: bigint) => {
    if (revision >= newest) resolve();
  };
  const watch = etcd.watches.open(
    { range, fromRevision: 1n },
    {
      events(revision, events) {
        history.take(revision, events);
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
  return history;
}
