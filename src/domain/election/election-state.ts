// An election as its keys tell it.

import { keyId } from '../key-range.ts';
import type { KeyValue } from '../store.ts';
import { storedFields, storedText, storedTime } from '../stored-fields.ts';
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

/** Where one stands in an election. */
export type Standing =
  | { readonly kind: 'leader'; readonly token: bigint }
  | {
      readonly kind: 'candidate';
      readonly candidate: Candidate;
      /** How many stand before it. */
      readonly position: number;
      /** Set where it is to lead now: the revision of the transfer that says so, 0n where its place does. */
      readonly turn: bigint | undefined;
    }
  | { readonly kind: 'none' };

/** Returns whether two standings call for the same. */
export function isSameStanding(a: Standing | undefined, b: Standing | undefined): boolean {
  if (a?.kind === 'candidate' && b?.kind === 'candidate')
    return a.position === b.position && a.turn === b.turn;
  if (a?.kind === 'leader' && b?.kind === 'leader') return a.token === b.token;
  return a?.kind === b?.kind;
}

/** Returns an election as all its keys tell it. */
export function electionState(name: string, kvs: readonly KeyValue[]): ElectionState {
  return stateOf(kvs.map((kv) => readEntry(name, kv)));
}

/** Follows an election by the messages of a watch that began with a snapshot. */
export class ElectionView {
  readonly #name: string;
  readonly #entries = new Map<string, Entry>();
  #isWhole = false;
  /** Made of the entries when it is asked for, once for all who ask. */
  #known: { readonly state: ElectionState; readonly places: ReadonlyMap<bigint, number> } | undefined;
  revision = 0n;

  constructor(name: string) {
    this.#name = name;
  }

  /** Undefined while the election is not known whole. */
  standingOf(leaseId: bigint): Standing | undefined {
    if (!this.#isWhole) return undefined;
    const { state, places } = this.#know();
    const { leader, candidates, transfer } = state;
    if (leader?.leaseId === leaseId) return { kind: 'leader', token: leader.token };
    const position = places.get(leaseId) ?? -1;
    const candidate = candidates[position];
    if (candidate === undefined) return { kind: 'none' };
    const next = transfer?.leaseId ?? candidates[0]?.leaseId;
    const isTurn = leader === undefined && next === leaseId;
    const turn = isTurn ? (transfer?.modRevision ?? 0n) : undefined;
    return { kind: 'candidate', candidate, position, turn };
  }

  take(message: WatchMessage): void {
    this.revision = message.revision;
    if (message.kind !== 'checkpoint') this.#known = undefined;
    switch (message.kind) {
      case 'snapshot':
        for (const kv of message.kvs) this.#entries.set(keyId(kv.key), readEntry(this.#name, kv));
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
          this.#entries.clear();
        }
        for (const change of message.changes ?? []) {
          const id = keyId(change.kv.key);
          if (isPut(change)) this.#entries.set(id, readEntry(this.#name, change.kv));
          else this.#entries.delete(id);
        }
    }
  }

  #know() {
    if (this.#known === undefined) {
      const state = stateOf(this.#entries.values());
      const places = new Map(state.candidates.map(({ leaseId }, position) => [leaseId, position]));
      this.#known = { state, places };
    }
    return this.#known;
  }
}

/** What one key says. */
type Entry =
  | { readonly kind: 'leader'; readonly leader: Leader }
  | { readonly kind: 'candidate'; readonly candidate: Candidate }
  | { readonly kind: 'transfer'; readonly transfer: NonNullable<ElectionState['transfer']> }
  | { readonly kind: 'none' };

function readEntry(name: string, kv: KeyValue): Entry {
  const kind = readElectionKey(name, kv.key)?.kind ?? 'none';
  const { leaseId, createRevision, modRevision } = kv;
  switch (kind) {
    case 'leader':
      return { kind, leader: readLeader(kv) };
    case 'transfer':
      return { kind, transfer: { leaseId, modRevision } };
    case 'candidate': {
      const { value, wallMs } = readStand(kv.value);
      return { kind, candidate: { value, leaseId, campaignWallMs: wallMs, createRevision } };
    }
    case 'none':
      return { kind };
  }
}

function stateOf(entries: Iterable<Entry>): ElectionState {
  const candidates: Candidate[] = [];
  let leader: Leader | undefined;
  let transfer: ElectionState['transfer'];
  for (const entry of entries) {
    if (entry.kind === 'leader') ({ leader } = entry);
    else if (entry.kind === 'transfer') ({ transfer } = entry);
    else if (entry.kind === 'candidate') candidates.push(entry.candidate);
  }
  candidates.sort((a, b) => (a.createRevision < b.createRevision ? -1 : 1));
  return { leader, candidates, transfer };
}

function readStand(value: Uint8Array): { readonly value: string; readonly wallMs: number } {
  const [text, time] = ['value', 'time'].map((name) => Reflect.get(storedFields(value), name));
  return { value: storedText(text), wallMs: storedTime(time) };
}
