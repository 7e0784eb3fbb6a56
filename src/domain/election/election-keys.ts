// The keys of elections, below `/concord/election/<name>/`:
//
// - `candidate/<lease>` stands for one who waits to lead. The smaller its create revision, the sooner.
// - `leader` is who leads. Its create revision is the token of the term; fences compare it.
// - `transfer` names the candidate that is to lead next, whatever its place; it is on that candidate's lease.
//
// And `/concord/released/election/<name>/<token>` remembers a resignation for a minute or two.

import { electionPrefix, leaderKey } from '../fence.ts';
import { compareKeys, type KeyRange, type KeySpan, prefixRange } from '../key-range.ts';
import { nameSegment, numberSegment, segmentNumber } from '../name-segment.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Returns all keys of one election. */
export function electionRange(name: string): KeySpan {
  return prefixRange(encoder.encode(electionPrefix(name)));
}

/** Returns the key of a candidate. */
export function candidateKey(name: string, leaseId: bigint): Uint8Array {
  return encoder.encode(`${electionPrefix(name)}candidate/${numberSegment(leaseId)}`);
}

/** Returns the key that names who is to lead next. */
export function transferKey(name: string): Uint8Array {
  return encoder.encode(`${electionPrefix(name)}transfer`);
}

/** Returns the key that remembers a resignation. */
export function resignedKey(name: string, token: bigint): KeyRange & { readonly kind: 'key' } {
  const key = encoder.encode(`/concord/released/election/${nameSegment(name)}/${numberSegment(token)}`);
  return { kind: 'key', key };
}

/** Returns what a key of an election says; undefined: nothing of these. */
export function readElectionKey(
  name: string,
  key: Uint8Array,
):
  | { readonly kind: 'leader' | 'transfer' }
  | { readonly kind: 'candidate'; readonly leaseId: bigint }
  | undefined {
  if (compareKeys(key, leaderKey(name)) === 0) return { kind: 'leader' };
  if (compareKeys(key, transferKey(name)) === 0) return { kind: 'transfer' };
  const [kind, id = ''] = decoder.decode(key).slice(electionPrefix(name).length).split('/');
  const leaseId = segmentNumber(id);
  return kind === 'candidate' && leaseId !== undefined ? { kind, leaseId } : undefined;
}
