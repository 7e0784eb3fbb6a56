import { describe, expect, it } from 'vitest';
import { type Guarded, LossGuard } from '../../../src/domain/discovery/loss-guard.ts';
import { FakeClock } from '../watch/fake-clock.ts';
import { someInstances } from './some-instance.ts';

const OPTIONS = { maxLossPercent: 30, windowMs: 10_000, holdMs: 60_000 };
const INSTANCES = someInstances(10);

function guarded(options = OPTIONS) {
  const clock = new FakeClock();
  const guard = new LossGuard(clock, options);
  const lose = (...numbers: readonly number[]) => {
    for (const n of numbers) for (const instance of INSTANCES.slice(n, n + 1)) guard.expired(instance);
  };
  return { clock, guard, lose };
}

function idsOf(held: Guarded | undefined): readonly string[] | undefined {
  return held?.lost.map(({ instanceId }) => instanceId);
}

describe('a loss guard', () => {
  it('does not hold while no more are lost than it allows', () => {
    const { guard, lose } = guarded();
    expect(guard.held(10)).toBeUndefined();
    lose(0, 1, 2);
    expect(guard.held(7)).toBeUndefined();
  });

  it('serves what was lost as soon as it is more, and says why', () => {
    const { guard, lose } = guarded();
    lose(0, 1, 2, 3);
    const held = guard.held(6);
    expect(idsOf(held)).toEqual(['i0', 'i1', 'i2', 'i3']);
    expect(held?.reason).toBe('4 of 10 instances expired within 10 s, more than 30 %');
  });

  it('holds where all are lost', () => {
    const { guard, lose } = guarded();
    lose(0, 1);
    expect(idsOf(guard.held(0))).toEqual(['i0', 'i1']);
  });

  it('forgets losses that are older than its window', () => {
    const { clock, guard, lose } = guarded();
    lose(0, 1, 2);
    clock.advance(OPTIONS.windowMs + 1);
    lose(3);
    expect(guard.held(6)).toBeUndefined();
  });

  it('keeps what it holds beyond its window', () => {
    const { clock, guard, lose } = guarded();
    lose(0, 1, 2, 3);
    expect(guard.held(6)).toBeDefined();
    clock.advance(OPTIONS.windowMs * 3);
    expect(idsOf(guard.held(6))).toEqual(['i0', 'i1', 'i2', 'i3']);
  });

  it('adds what is lost while it holds', () => {
    const { guard, lose } = guarded();
    lose(0, 1, 2, 3);
    guard.held(6);
    lose(4);
    expect(idsOf(guard.held(5))).toEqual(['i0', 'i1', 'i2', 'i3', 'i4']);
  });

  it('lets go as soon as enough are back, and then forgets the others', () => {
    const { guard, lose } = guarded();
    lose(0, 1, 2, 3);
    guard.held(6);
    guard.accounted('i3');
    expect(guard.held(7)).toBeUndefined();
    lose(3);
    expect(guard.held(6)).toBeUndefined();
  });

  it('does not count what was taken out on purpose', () => {
    const { guard, lose } = guarded();
    lose(0, 1, 2);
    guard.accounted('i0');
    guard.accounted('i1');
    lose(3);
    expect(guard.held(6)).toBeUndefined();
  });

  it('lets go when it has held for as long as it may, and holds anew only for new losses', () => {
    const { clock, guard, lose } = guarded();
    lose(0, 1, 2, 3);
    guard.held(6);
    clock.advance(OPTIONS.holdMs);
    expect(guard.held(6)).toBeDefined();
    clock.advance(1);
    expect(guard.held(6)).toBeUndefined();
    expect(guard.held(6)).toBeUndefined();
    lose(4, 5, 6);
    expect(idsOf(guard.held(3))).toEqual(['i4', 'i5', 'i6']);
  });

  it('counts an instance that is lost twice once', () => {
    const { guard, lose } = guarded();
    lose(0, 0, 0, 0, 0);
    expect(guard.held(9)).toBeUndefined();
  });
});
