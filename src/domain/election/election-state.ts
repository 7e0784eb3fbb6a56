// An election as its keys tell it.

import { keyId } from '../key-range.ts';
import type { KeyValue } from '../store.ts';
import { isPut } from '../watch/change.ts';
import type { WatchMessage } from '../watch/watch.ts';
import { readElectionKey } from './election-keys.ts';

/** Leads. */
export interface Leader {
  readonly value: string;
  readonly token: bigint;
  readonly leaseId: bigint;
  readonly leadWallMs: number;
}

/** Waits to lead. */
export interface Candidate {
  readonly value: string;
  readonly leaseId: bigint;
  readonly campaignWallMs: number;
  /** The revision at which it came. */
  readonly createRevision: bigint;
}

/** An election at one revision. */
export interface ElectionState {
  readonly leader: Leader | undefined;
  /** In the order in which they came. */
  readonly candidates: readonly Candidate[];
  /** Who is to lead next, whatever its place. */
  readonly transfer: { readonly leaseId: bigint; readonly modRevision: bigint } | undefined;
}

/** Returns the value of the key of a candidate or a leader. `wallMs`: since when. */
export function standValue(value: string, wallMs: number): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ value, time: new Date(wallMs).toISOString() }));
}

/** Returns who leads by the leader's key. */
export function readLeader({ value, createRevision, leaseId }: KeyValue): Leader {
  const { value: text, wallMs } = readStand(value);
  return { value: text, token: createRevision, leaseId, leadWallMs: wallMs };
}

/** Returns an election as all its keys tell it. */
export function electionState(name: string, kvs: Iterable<KeyValue>): ElectionState {
  const candidates: Candidate[] = [];
  let leader: Leader | undefined;
  let transfer: ElectionState['transfer'];
  for (const kv of kvs) {
    const key = readElectionKey(name, kv.key);
    switch (key?.kind) {
      case 'leader':
        leader = readLeader(kv);
        break;
      case 'transfer':
        transfer = { leaseId: kv.leaseId, modRevision: kv.modRevision };
        break;
      case 'candidate': {
        const { value, wallMs } = readStand(kv.value);
        const { leaseId, createRevision } = kv;
        candidates.push({ value, leaseId, campaignWallMs: wallMs, createRevision });
      }
    }
  }
  candidates.sort((a, b) => (a.createRevision < b.createRevision ? -1 : 1));
  return { leader, candidates, transfer };
}

/** Follows an election by the messages of a watch that began with a snapshot. */
export class ElectionView {
  readonly #name: string;
  readonly #kvs = new Map<string, KeyValue>();
  #isWhole = false;
  revision = 0n;

  constructor(name: string) {
    this.#name = name;
  }

  /** Undefined while it is not known whole. */
  get state(): ElectionState | undefined {
    return this.#isWhole ? electionState(this.#name, this.#kvs.values()) : undefined;
  }

  take(message: WatchMessage): void {
    this.revision = message.revision;
    switch (message.kind) {
      case 'snapshot':
        for (const kv of message.kvs) this.#kvs.set(keyId(kv.key), kv);
        return;
      case 'synced':
        this.#isWhole = true;
        return;
      case 'checkpoint':
        return;
      case 'events':
      case 'resync':
        if (message.changes === undefined) {
          this.#isWhole = false;
          this.#kvs.clear();
        }
        for (const change of message.changes ?? []) {
          if (isPut(change)) this.#kvs.set(keyId(change.kv.key), change.kv);
          else this.#kvs.delete(keyId(change.kv.key));
        }
    }
  }
}

function readStand(value: Uint8Array): { readonly value: string; readonly wallMs: number } {
  try {
    const fields: unknown = JSON.parse(new TextDecoder().decode(value));
    if (typeof fields !== 'object' || fields === null) return { value: '', wallMs: 0 };
    const [text, time] = [Reflect.get(fields, 'value'), Reflect.get(fields, 'time')];
    const wallMs = typeof time === 'string' ? Date.parse(time) : Number.NaN;
    return { value: typeof text === 'string' ? text : '', wallMs: Number.isNaN(wallMs) ? 0 : wallMs };
  } catch {
    return { value: '', wallMs: 0 };
  }
}
