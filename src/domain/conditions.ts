// Conditions of transactions, as words.

import { type KeyRange, singleKey } from './key-range.ts';
import type { Compare } from './store.ts';

/** There is no such key. */
export function isAbsent(key: Uint8Array): Compare {
  return createdAt(key, 0n);
}

/** There is a key in the range. (Etcd takes an empty one for a key of revision 0.) */
export function isSomeKeyIn(range: KeyRange): Compare {
  return { range, comparison: 'greater', target: { kind: 'createRevision', number: 0n } };
}

/** There is a key in the range, and none that was created after a revision. */
export function isNoKeyAfter(range: KeyRange, revision: bigint): Compare {
  return { range, comparison: 'less', target: { kind: 'createRevision', number: revision + 1n } };
}

/** The key was created at a revision; 0n: there is none. */
export function createdAt(key: Uint8Array, number: bigint): Compare {
  return { range: singleKey(key), comparison: 'equal', target: { kind: 'createRevision', number } };
}

/** The key was written last at a revision; 0n: there is none. */
export function writtenAt(key: Uint8Array, number: bigint): Compare {
  return { range: singleKey(key), comparison: 'equal', target: { kind: 'modRevision', number } };
}
