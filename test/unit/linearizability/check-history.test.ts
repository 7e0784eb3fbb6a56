import { describe, expect, it } from 'vitest';
import { checkHistory } from '../../support/linearizability/check-history.ts';
import { findConflict } from '../../support/linearizability/find-conflict.ts';
import type { Call, Operation } from '../../support/linearizability/history.ts';
import { hasOrderByBruteForce } from './brute-force.ts';

const KEY = 'key';

/** An operation from one tick to another, of a client of its own. */
function during(calledAt: number, returnedAt: number, call: Call): Operation {
  return { ...call, client: calledAt, key: KEY, calledAt, returnedAt };
}

const put = (value: string, revision: bigint, version: bigint): Call => ({
  kind: 'put',
  value,
  outcome: { kind: 'written', revision, version },
});

const lostPut = (calledAt: number, value: string): Operation =>
  during(calledAt, Number.POSITIVE_INFINITY, { kind: 'put', value, outcome: { kind: 'unknown' } });

const putIf = (expectedRevision: bigint, value: string, revision: bigint, version: bigint): Call => ({
  kind: 'put',
  value,
  expectedRevision,
  outcome: { kind: 'written', revision, version },
});

const mismatch = (expectedRevision: bigint, actualRevision: bigint): Call => ({
  kind: 'put',
  value: 'never written',
  expectedRevision,
  outcome: { kind: 'mismatch', actualRevision },
});

const found = (value: string, modRevision: bigint, version: bigint, revision = modRevision): Call => ({
  kind: 'get',
  outcome: { kind: 'found', value, modRevision, version, revision },
});

const missing = (revision: bigint): Call => ({ kind: 'get', outcome: { kind: 'missing', revision } });

const deleted = (revision: bigint, didExist = true): Call => ({
  kind: 'delete',
  outcome: { kind: 'deleted', didExist, revision },
});

const LINEARIZABLE: Readonly<Record<string, readonly Operation[]>> = {
  'nothing at all': [],
  'one call after the other': [
    during(1, 2, missing(1n)),
    during(3, 4, put('a', 2n, 1n)),
    during(5, 6, found('a', 2n, 1n)),
    during(7, 8, putIf(2n, 'b', 3n, 2n)),
    during(9, 10, mismatch(2n, 3n)),
    during(11, 12, deleted(4n)),
    during(13, 14, deleted(4n, false)),
    during(15, 16, mismatch(3n, 0n)),
    during(17, 18, putIf(0n, 'c', 5n, 1n)),
  ],
  'reads during a write, one of which sees it': [
    during(1, 10, put('a', 2n, 1n)),
    during(2, 3, missing(1n)),
    during(4, 5, found('a', 2n, 1n)),
  ],
  'two writes at once, the later call first': [
    during(1, 10, put('a', 3n, 2n)),
    during(2, 9, put('b', 2n, 1n)),
    during(11, 12, found('a', 3n, 2n)),
  ],
  'a write of unknown outcome that is seen long after': [
    lostPut(1, 'a'),
    during(2, 3, missing(1n)),
    during(4, 5, missing(1n)),
    during(6, 7, found('a', 2n, 1n)),
  ],
  'a write of unknown outcome that never happens': [
    during(1, 2, put('a', 2n, 1n)),
    lostPut(3, 'b'),
    during(4, 5, found('a', 2n, 1n)),
    during(6, 7, put('c', 3n, 2n)),
  ],
  'a write of unknown outcome that only a version gives away': [
    during(1, 2, put('a', 2n, 1n)),
    lostPut(3, 'b'),
    during(4, 5, put('c', 4n, 3n)),
  ],
  'a write of unknown outcome that only a condition gives away': [
    lostPut(1, 'a'),
    during(2, 3, mismatch(0n, 2n)),
    during(4, 5, putIf(2n, 'b', 3n, 2n)),
  ],
  'a deletion of unknown outcome that happens': [
    during(1, 2, put('a', 2n, 1n)),
    during(3, Number.POSITIVE_INFINITY, { kind: 'delete', outcome: { kind: 'unknown' } }),
    during(4, 5, found('a', 2n, 1n)),
    during(6, 7, put('b', 4n, 1n)),
  ],
};

const NOT_LINEARIZABLE: Readonly<Record<string, readonly Operation[]>> = {
  'a stale read': [
    during(1, 2, put('a', 2n, 1n)),
    during(3, 4, put('b', 3n, 2n)),
    during(5, 6, found('a', 2n, 1n)),
  ],
  'a stale read that says it is of the newest revision': [
    during(1, 2, put('a', 2n, 1n)),
    during(3, 4, put('b', 3n, 2n)),
    during(5, 6, found('a', 2n, 1n, 3n)),
  ],
  'two reads during a write, the second of which is older': [
    during(1, 2, put('a', 2n, 1n)),
    during(3, 10, put('b', 3n, 2n)),
    during(4, 5, found('b', 3n, 2n)),
    during(6, 7, found('a', 2n, 1n)),
  ],
  'a lost update': [
    during(1, 2, put('a', 2n, 1n)),
    during(3, 6, putIf(2n, 'b', 3n, 2n)),
    during(4, 5, putIf(2n, 'c', 4n, 2n)),
  ],
  'a write that is gone': [during(1, 2, put('a', 2n, 1n)), during(3, 4, missing(2n))],
  'a write that was done twice': [during(1, 2, put('a', 2n, 1n)), during(3, 4, found('a', 3n, 2n))],
  'a split brain, in which each half sees its own writes': [
    during(1, 2, put('a', 2n, 1n)),
    during(3, 5, put('b', 3n, 2n)),
    during(4, 6, put('c', 3n, 2n)),
    during(7, 9, found('b', 3n, 2n)),
    during(8, 10, found('c', 3n, 2n)),
  ],
  'a value that nobody wrote': [during(1, 2, found('a', 2n, 1n))],
  'a value that is read before it is written': [
    during(1, 2, found('a', 2n, 1n)),
    during(3, 4, put('a', 2n, 1n)),
  ],
  'a write of unknown outcome that is seen, and then not': [
    during(1, 2, put('a', 2n, 1n)),
    lostPut(3, 'b'),
    during(4, 5, found('b', 3n, 2n)),
    during(6, 7, found('a', 2n, 1n, 3n)),
  ],
  'a write of unknown outcome that happens twice': [
    lostPut(1, 'a'),
    during(2, 3, found('a', 2n, 1n)),
    during(4, 5, deleted(3n)),
    during(6, 7, found('a', 4n, 1n)),
  ],
  'a condition that failed although it held': [
    during(1, 2, put('a', 2n, 1n)),
    during(3, 4, mismatch(2n, 0n)),
    during(5, 6, found('a', 2n, 1n)),
  ],
  'revisions against the order of the writes': [
    during(1, 2, put('a', 3n, 1n)),
    during(3, 4, put('b', 2n, 2n)),
  ],
  'a deletion of what did not exist': [during(1, 2, deleted(2n))],
};

describe('a history', () => {
  it.each(Object.keys(LINEARIZABLE))('may have %s', (name) => {
    const history = LINEARIZABLE[name] ?? [];
    expect(checkHistory(history)).toEqual([]);
    expect(hasOrderByBruteForce(history)).toBe(true);
  });

  it.each(Object.keys(NOT_LINEARIZABLE))('may not have %s', (name) => {
    const history = NOT_LINEARIZABLE[name] ?? [];
    expect(checkHistory(history).join('\n')).toMatch(/^key key: there is no order of$/m);
    expect(hasOrderByBruteForce(history)).toBe(false);
  });

  it('may not have a lower revision after a higher one, whatever the key', () => {
    const other = { ...during(3, 4, missing(2n)), key: 'other' };
    expect(checkHistory([during(1, 2, put('a', 2n, 1n)), other])).toEqual([]);
    expect(checkHistory([during(1, 2, put('a', 3n, 1n)), other])).toEqual([
      expect.stringMatching(/^revision 3 came before 2: 1–2 client 1: put "a".*; 3–4 client 3: get other/),
    ]);
  });
});

describe('what is said of a history without an order', () => {
  it('is the few operations that have none', () => {
    const before = Array.from({ length: 50 }, (_, i) =>
      during(2 * i + 1, 2 * i + 2, put(`value ${i}`, BigInt(i + 2), BigInt(i + 1))),
    );
    const newest = during(201, 202, put('newest', 60n, 51n));
    const stale = during(203, 205, found('value 49', 51n, 50n, 60n));
    const fine = during(204, 206, found('newest', 60n, 51n));
    expect(findConflict([...before, newest, stale, fine])).toEqual([newest, stale]);
  });
});
