import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Due, DueQueue } from '../../src/domain/due-queue.ts';

interface Item extends Due {
  readonly name: number;
}

type Step =
  | { readonly kind: 'set'; readonly name: number; readonly dueMs: number }
  | { readonly kind: 'delete'; readonly name: number }
  | { readonly kind: 'take' };

const NAMES = 40;

const name = fc.nat(NAMES - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('set'), name, dueMs: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete'), name }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('take') }) },
);

function createItems(): readonly Item[] {
  return Array.from({ length: NAMES }, (_, index) => ({ name: index, dueMs: 0, place: -1 }));
}

describe('DueQueue', () => {
  it('has first what a sorted array has first, whatever is put in, moved and taken out', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const queue = new DueQueue<Item>();
        const items = createItems();
        const model = new Map<number, number>();
        const remove = (item: Item | undefined) => {
          if (item === undefined) return;
          queue.delete(item);
          model.delete(item.name);
          expect(item.place).toBe(-1);
        };
        for (const each of steps) {
          if (each.kind === 'take') remove(queue.first);
          else if (each.kind === 'delete') remove(items[each.name]);
          else {
            const item = items[each.name];
            if (item !== undefined) queue.set(item, each.dueMs);
            model.set(each.name, each.dueMs);
          }
          expect(queue.size).toBe(model.size);
          expect(queue.first?.dueMs).toBe([...model.values()].sort((a, b) => a - b)[0]);
          if (queue.first !== undefined) expect(model.get(queue.first.name)).toBe(queue.first.dueMs);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('gives all that it holds in order', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1_000), { maxLength: 300 }), (dues) => {
        const queue = new DueQueue<Item>();
        for (const [index, dueMs] of dues.entries()) queue.set({ name: index, dueMs: 0, place: -1 }, dueMs);
        const taken: number[] = [];
        for (let { first } = queue; first !== undefined; { first } = queue) {
          taken.push(first.dueMs);
          queue.delete(first);
        }
        expect(taken).toEqual([...dues].sort((a, b) => a - b));
      }),
    );
  });

  it('takes no notice when what it does not hold is taken out', () => {
    const queue = new DueQueue<Item>();
    const held = { name: 0, dueMs: 0, place: -1 };
    queue.set(held, 5);
    queue.delete({ name: 1, dueMs: 0, place: -1 });
    expect(queue.first).toBe(held);
  });
});
