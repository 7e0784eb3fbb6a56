import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { reasonError } from '../../../src/rpc/checks/errors.ts';
import { Deadlines } from '../../../src/transport/deadlines.ts';
import type { RpcCall } from '../../../src/transport/rpc-call.ts';

/** How much later than its deadline a call may be stopped. */
const SLOT_MS = 10;
const overdue = () => reasonError('DEADLINE_EXCEEDED', 'too late');

beforeEach(() => {
  vi.useFakeTimers();
  // Slots begin at multiples of 10 ms: deadlines are to fall anywhere within them.
  vi.advanceTimersByTime(3.3);
});

afterEach(() => {
  vi.useRealTimers();
});

describe('the deadlines of calls', () => {
  it.each([0, 0.000_001, 1, 9, 10, 11, 999, 60_000, 2 ** 31 - 1])(
    'stop a call within a slot and never before: %s ms',
    (timeoutMs) => {
      const deadlines = new Deadlines();
      const call = createCall();
      const dueMs = performance.now() + timeoutMs;
      deadlines.set(call, timeoutMs, overdue);
      // Not all of 25 days, tick by tick: one tick goes through all slots that it finds passed.
      vi.setSystemTime(Date.now());
      while (call.stops.length === 0 && performance.now() < Math.min(dueMs, 70_000) + 2 * SLOT_MS)
        vi.advanceTimersByTime(1);
      if (timeoutMs > 60_000) return expect(call.stops).toEqual([]);
      expect(call.stops).toHaveLength(1);
      expect(call.stops[0]).toBeGreaterThanOrEqual(dueMs);
      expect(call.stops[0]).toBeLessThanOrEqual(dueMs + 2 * SLOT_MS);
      vi.advanceTimersByTime(1_000);
      expect(call.stops).toHaveLength(1);
      return undefined;
    },
  );

  it('are stopped at although their time had passed when they were set', () => {
    const deadlines = new Deadlines();
    for (const timeoutMs of [0, -1, -1_000]) {
      const call = createCall();
      deadlines.set(call, timeoutMs, overdue);
      vi.advanceTimersByTime(2 * SLOT_MS);
      expect(call.stops).toHaveLength(1);
    }
  });

  it('count from the last time that they are set, and not once they are deleted', () => {
    const deadlines = new Deadlines();
    const [longer, shorter, deleted] = [createCall(), createCall(), createCall()];
    for (const call of [longer, shorter, deleted]) deadlines.set(call, 100, overdue);
    deadlines.set(longer, 300, overdue);
    deadlines.set(shorter, 20, overdue);
    deadlines.delete(deleted);
    deadlines.delete(createCall());
    vi.advanceTimersByTime(50);
    expect([longer, shorter, deleted].map(({ stops }) => stops.length)).toEqual([0, 1, 0]);
    vi.advanceTimersByTime(200);
    expect([longer, shorter, deleted].map(({ stops }) => stops.length)).toEqual([0, 1, 0]);
    vi.advanceTimersByTime(100);
    expect([longer, shorter, deleted].map(({ stops }) => stops.length)).toEqual([1, 1, 0]);
  });

  it('let a call that is stopped set another, or delete it', () => {
    const deadlines = new Deadlines();
    const next = createCall();
    const call = createCall(() => {
      deadlines.delete(call);
      deadlines.set(next, 0, overdue);
    });
    deadlines.set(call, 5, overdue);
    vi.advanceTimersByTime(3 * SLOT_MS);
    expect([call, next].map(({ stops }) => stops.length)).toEqual([1, 1]);
  });

  it('need no timer once there are no calls for a while, and one again after that', () => {
    const deadlines = new Deadlines();
    const call = createCall();
    deadlines.set(call, 10, overdue);
    expect(vi.getTimerCount()).toBe(1);
    deadlines.delete(call);
    vi.advanceTimersByTime(5_000);
    expect(vi.getTimerCount()).toBe(0);
    deadlines.set(call, 10, overdue);
    vi.advanceTimersByTime(2 * SLOT_MS);
    expect(call.stops).toHaveLength(1);
  });
});

/** As much of a call as deadlines know, which notes when it is stopped. */
function createCall(onStop = () => {}) {
  const stops: number[] = [];
  const stop = () => {
    stops.push(performance.now());
    onStop();
  };
  return { stops, stop } as unknown as RpcCall & { readonly stops: readonly number[] };
}
