import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkHistory } from '../../support/linearizability/check-history.ts';
import { findConflict } from '../../support/linearizability/find-conflict.ts';
import { findOrder } from '../../support/linearizability/find-order.ts';
import { type Call, type Operation, revisionOf } from '../../support/linearizability/history.ts';
import { hasOrderByBruteForce } from './brute-force.ts';
import { randomHistory, runHistory } from './random-history.ts';

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

describe('a history of a store that does one thing after the other', () => {
  it('has an order, whatever the clients overlap in and do not hear of', () => {
    fc.assert(
      fc.property(randomHistory({ clients: 6, keys: 2, steps: 400 }), (history) => {
        expect(checkHistory(history)).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it('has none once a read sees what an acknowledged write had replaced', () => {
    expectToBeCaught((history, chosen) => {
      const reads = history.filter(({ outcome }) => outcome.kind === 'found');
      const read = reads[chosen % reads.length];
      if (read?.outcome.kind !== 'found') return undefined;
      const { modRevision, revision } = read.outcome;
      const writes = history.filter(({ outcome }) => outcome.kind === 'written');
      const isAcknowledged = writes.some(
        (write) => write.key === read.key && revisionOf(write) === modRevision,
      );
      if (!isAcknowledged) return undefined;
      return history.map((operation) =>
        operation === read ? { ...read, kind: 'get', outcome: { kind: 'missing', revision } } : operation,
      );
    });
  });

  it('has none once a write is taken out that a read saw', () => {
    expectToBeCaught((history, chosen) => {
      const seen = new Set(history.map(({ outcome }) => (outcome.kind === 'found' ? outcome.value : '')));
      const writes = history.filter((operation) => operation.kind === 'put' && seen.has(operation.value));
      const write = writes[chosen % writes.length];
      return write && history.filter((operation) => operation !== write);
    });
  });

  it('has none once a write counts as two', () => {
    expectToBeCaught((history, chosen) => {
      const writes = history.filter(({ outcome }) => outcome.kind === 'written');
      const write = writes[chosen % writes.length];
      if (write?.kind !== 'put' || write.outcome.kind !== 'written') return undefined;
      const outcome = { ...write.outcome, version: write.outcome.version + 1n };
      return history.map((operation) => (operation === write ? { ...write, outcome } : operation));
    });
  });

  it('is checked in well under 10 s where 20 clients do 10,000 operations on 10 keys', () => {
    const numbers = fc.array(fc.nat(2 ** 30), { minLength: 31_000, maxLength: 31_000 });
    const [steps = []] = fc.sample(numbers, { numRuns: 1, seed: 8 });
    const history = runHistory({ clients: 20, keys: 10, steps, losesAnswers: false });
    expect(history.length).toBeGreaterThan(10_000);
    const startedMs = performance.now();
    expect(checkHistory(history)).toEqual([]);
    expect(performance.now() - startedMs).toBeLessThan(10_000);
  });
});

describe('the search for an order', () => {
  it('finds one where trying all of them does, and only there', () => {
    const counts = { linearizable: 0, notLinearizable: 0, undecided: 0 };
    const small = randomHistory({ clients: 4, keys: 1, steps: 24 }).map((history) => history.slice(0, 7));
    fc.assert(
      fc.property(small, fc.array(fc.nat(), { maxLength: 3 }), (history, choices) => {
        const bent = choices.reduce<readonly Operation[]>(bend, history);
        const { kind } = findOrder(bent);
        counts[kind] += 1;
        expect(kind).toBe(hasOrderByBruteForce(bent) ? 'linearizable' : 'notLinearizable');
      }),
      { numRuns: 10_000 },
    );
    expect(counts.linearizable).toBeGreaterThan(500);
    expect(counts.notLinearizable).toBeGreaterThan(500);
  });
});

/** Asserts that the histories that `spoil` returns, of those where answers are not lost, have no order. */
function expectToBeCaught(
  spoil: (history: readonly Operation[], chosen: number) => readonly Operation[] | undefined,
): void {
  let count = 0;
  fc.assert(
    fc.property(
      randomHistory({ clients: 6, keys: 1, steps: 200, losesAnswers: false }),
      fc.nat(),
      (history, chosen) => {
        const spoiled = spoil(history, chosen);
        if (spoiled === undefined) return;
        count += 1;
        expect(findOrder(spoiled).kind).toBe('notLinearizable');
      },
    ),
    { numRuns: 200 },
  );
  expect(count).toBeGreaterThan(50);
}

/** Changes one thing of one operation, which may do no harm. */
function bend(history: readonly Operation[], choice: number): readonly Operation[] {
  const index = choice % Math.max(history.length, 1);
  const operation = history[index];
  const other = history[Math.floor(choice / 16) % Math.max(history.length, 1)];
  if (operation === undefined || other === undefined) return history;
  const change = BigInt(Math.floor(choice / 256) % 3) - 1n;
  return history.with(index, bendOperation(operation, other, change));
}

function bendOperation(operation: Operation, other: Operation, change: bigint): Operation {
  if (operation.kind === 'get') {
    const { outcome } = operation;
    if (other.kind === 'get') return { ...operation, outcome: other.outcome };
    if (outcome.kind === 'missing')
      return { ...operation, outcome: { ...outcome, revision: outcome.revision + change } };
    if (other.kind === 'put') return { ...operation, outcome: { ...outcome, value: other.value } };
    return { ...operation, outcome: { ...outcome, modRevision: outcome.modRevision + change } };
  }
  if (operation.kind === 'delete' || operation.outcome.kind === 'unknown')
    return { ...operation, key: operation.key };
  const { outcome } = operation;
  if (outcome.kind === 'mismatch') {
    return { ...operation, outcome: { ...outcome, actualRevision: revisionOf(other) ?? 0n } };
  }
  if (other.kind === 'put' && change === 0n) return { ...operation, value: other.value };
  return { ...operation, outcome: { ...outcome, revision: outcome.revision + change } };
}
