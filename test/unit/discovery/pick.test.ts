import { describe, expect, it } from 'vitest';
import { createPick, type Strategy } from '../../../src/domain/discovery/pick.ts';
import { CHI_SQUARE_LIMITS, chiSquare } from './chi-square.ts';
import { seededRandom } from './seeded-random.ts';
import { someInstance, someInstances } from './some-instance.ts';

const DRAWS = 20_000;
const KEYS = 20_000;

/** Picks `count` times, and says how often each instance came. */
function picked(
  instances: ReturnType<typeof someInstances>,
  strategyOf: (draw: number) => Strategy,
  count = DRAWS,
): number[] {
  const pick = createPick(seededRandom(1));
  const counts = new Map(instances.map(({ instanceId }) => [instanceId, 0]));
  for (let draw = 0; draw < count; draw++) {
    const id = pick('orders', instances, strategyOf(draw))?.instanceId ?? '';
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return [...counts.values()];
}

const evenly = (n: number, total: number): number[] => Array.from({ length: n }, () => total / n);

describe('a pick', () => {
  it.each<Strategy>([
    { kind: 'first' },
    { kind: 'random' },
    { kind: 'roundRobin' },
    { kind: 'weighted' },
    { kind: 'zoneFirst', zone: 'z' },
    { kind: 'hash', key: 'k' },
  ])('of nothing is nothing: $kind', (strategy) => {
    expect(createPick(Math.random)('orders', [], strategy)).toBeUndefined();
  });

  it('of the first is the first', () => {
    expect(picked(someInstances(3), () => ({ kind: 'first' }), 10)).toEqual([10, 0, 0]);
  });

  it('at random is as likely each', () => {
    const counts = picked(someInstances(5), () => ({ kind: 'random' }));
    expect(chiSquare(counts, evenly(5, DRAWS))).toBeLessThan(CHI_SQUARE_LIMITS[4]);
  });

  it('by weight is as likely as the weight is great', () => {
    const weights = [1, 2, 3, 4, 10];
    const instances = weights.map((weight, i) => someInstance({ instanceId: `i${i}`, weight }));
    const expected = weights.map((weight) => (DRAWS * weight) / 20);
    const counts = picked(instances, () => ({ kind: 'weighted' }));
    expect(chiSquare(counts, expected)).toBeLessThan(CHI_SQUARE_LIMITS[4]);
    expect(chiSquare(counts, evenly(5, DRAWS)), 'the limit tells weights apart').toBeGreaterThan(1_000);
  });

  it('by weight is never one of weight 0, at the edges of what is random either', () => {
    const instances = [0, 1, 0].map((weight, i) => someInstance({ instanceId: `i${i}`, weight }));
    for (const random of [0, 0.5, 1 - Number.EPSILON / 2])
      expect(createPick(() => random)('orders', instances, { kind: 'weighted' })?.instanceId).toBe('i1');
    expect(
      createPick(Math.random)('orders', [someInstance({ weight: 0 })], { kind: 'weighted' }),
    ).toBeUndefined();
  });
});

describe('a pick in turn', () => {
  it('takes one after the other', () => {
    const pick = createPick(Math.random);
    const turns = Array.from({ length: 6 }, () => pick('s', someInstances(3), { kind: 'roundRobin' }));
    expect(turns.map((instance) => instance?.instanceId)).toEqual(['i0', 'i1', 'i2', 'i0', 'i1', 'i2']);
  });

  it('counts for each service by itself', () => {
    const pick = createPick(Math.random);
    const turns = ['a', 'b', 'a', 'b'].map((name) => pick(name, someInstances(3), { kind: 'roundRobin' }));
    expect(turns.map((instance) => instance?.instanceId)).toEqual(['i0', 'i0', 'i1', 'i1']);
  });

  it('goes on after a great many other services were picked from once', () => {
    const pick = createPick(Math.random);
    for (let i = 0; i < 10_050; i++) pick(`s${i}`, someInstances(3), { kind: 'roundRobin' });
    const next = (name: string) => pick(name, someInstances(3), { kind: 'roundRobin' })?.instanceId;
    expect([next('s10049'), next('s0')]).toEqual(['i1', 'i0']);
  });
});

describe('a pick by zone', () => {
  const instances = [
    someInstance({ instanceId: 'far', zone: 'far', weight: 100 }),
    someInstance({ instanceId: 'near', zone: 'near', weight: 1 }),
    someInstance({ instanceId: 'nearer', zone: 'near', weight: 3 }),
    someInstance({ instanceId: 'idle', zone: 'idle', weight: 0 }),
  ];

  it('stays in the zone, and goes by weight there', () => {
    const [far = 0, near = 0, nearer = 0] = picked(instances, () => ({ kind: 'zoneFirst', zone: 'near' }));
    expect(far).toBe(0);
    expect(chiSquare([near, nearer], [DRAWS / 4, (DRAWS * 3) / 4])).toBeLessThan(CHI_SQUARE_LIMITS[1]);
  });

  it.each(['nowhere', 'idle'])('falls back to all where the zone has nothing to take: %s', (zone) => {
    const [far = 0, near = 0, nearer = 0] = picked(instances, () => ({ kind: 'zoneFirst', zone }), 1_000);
    expect(far).toBeGreaterThan(900);
    expect(near + nearer).toBeGreaterThan(0);
  });
});

describe('a pick by hash', () => {
  const keyOf = (i: number): string => `user-${i}`;

  function owners(instances: ReturnType<typeof someInstances>): string[] {
    const pick = createPick(Math.random);
    return Array.from(
      { length: KEYS },
      (_, i) => pick('orders', instances, { kind: 'hash', key: keyOf(i) })?.instanceId ?? '',
    );
  }

  it.each([2, 3, 10])('spreads keys evenly over %i instances', (n) => {
    const counts = picked(someInstances(n), (i) => ({ kind: 'hash', key: keyOf(i) }), KEYS);
    expect(chiSquare(counts, evenly(n, KEYS))).toBeLessThan(
      CHI_SQUARE_LIMITS[n === 10 ? 9 : n === 3 ? 2 : 1],
    );
  });

  it('moves only the keys of the one that leaves, whichever that is', () => {
    const instances = someInstances(10);
    const before = owners(instances);
    for (const { instanceId } of instances) {
      const after = owners(instances.filter((each) => each.instanceId !== instanceId));
      const moved = before.filter((owner, i) => owner !== after[i]);
      expect(new Set(moved)).toEqual(new Set([instanceId]));
      expect(moved.length / KEYS).toBeLessThan(0.12);
    }
  });

  it('spreads the keys of the one that leaves over all others', () => {
    const instances = someInstances(10);
    const [before, after] = [owners(instances), owners(instances.slice(1))];
    const heirs = instances.slice(1).map(({ instanceId }) => {
      return after.filter((owner, i) => before[i] === 'i0' && owner === instanceId).length;
    });
    const moved = heirs.reduce((sum, count) => sum + count);
    expect(chiSquare(heirs, evenly(9, moved))).toBeLessThan(CHI_SQUARE_LIMITS[8]);
  });

  it('does not depend on the order of the instances', () => {
    const instances = someInstances(10);
    expect(owners(instances.toReversed())).toEqual(owners(instances));
  });
});
