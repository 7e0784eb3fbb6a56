// How ranges of keys lie to each other.

import { compareKeys, type KeySpan } from '../key-range.ts';

/** Returns whether one range lies within another. */
export function covers(outer: KeySpan, inner: KeySpan): boolean {
  if (compareKeys(inner.start, outer.start) < 0) return false;
  if (outer.end === undefined) return true;
  return inner.end !== undefined && compareKeys(inner.end, outer.end) <= 0;
}

/** Returns whether two ranges share keys. */
export function overlap(a: KeySpan, b: KeySpan): boolean {
  return startsBeforeEnd(a, b) && startsBeforeEnd(b, a);
}

function startsBeforeEnd({ start }: KeySpan, { end }: KeySpan): boolean {
  return end === undefined || compareKeys(start, end) < 0;
}

/** Returns the smallest range that covers two. */
export function union(a: KeySpan, b: KeySpan): KeySpan {
  const start = compareKeys(a.start, b.start) <= 0 ? a.start : b.start;
  if (a.end === undefined || b.end === undefined) return { kind: 'range', start, end: undefined };
  return { kind: 'range', start, end: compareKeys(a.end, b.end) >= 0 ? a.end : b.end };
}

/** Returns ranges with those that overlap each other put together; disjoint and in order. */
export function components(spans: readonly KeySpan[]): KeySpan[] {
  const merged: KeySpan[] = [];
  for (const span of [...spans].sort((a, b) => compareKeys(a.start, b.start))) {
    const last = merged.at(-1);
    const isApart = last === undefined || (last.end !== undefined && compareKeys(span.start, last.end) >= 0);
    if (isApart) merged.push(span);
    else merged[merged.length - 1] = union(last, span);
  }
  return merged;
}
