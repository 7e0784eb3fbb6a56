import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkHistory } from '../../support/linearizability/check-history.ts';
import { findOrder } from '../../support/linearizability/find-order.ts';
import { type Operation, revisionOf } from '../../support/linearizability/history.ts';
import { bendHistory } from './bend-history.ts';
import { hasOrderByBruteForce } from './brute-force.ts';
import { randomHistory, runHistory } from './random-history.ts';

describe('a history of a store that does one thing after the other', () => {
  it('has an order, whatever the clients overlap in and do not hear of', () => {
    fc.assert(
      fc.property(randomHistory({ clients: 6, keys: 2, steps: 400 }), (history) => {
        expect(checkHistory(history)).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it('has one that is found where 20 clients do not hear of a sixth of what they ask of one key', () => {
    fc.assert(
      fc.property(randomHistory({ clients: 20, keys: 1, steps: 3_000 }), (history) => {
        expect(checkHistory(history)).toEqual([]);
      }),
      { numRuns: 20 },
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
        const bent = choices.reduce<readonly Operation[]>(bendHistory, history);
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
