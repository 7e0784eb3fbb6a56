import { describe, expect, it } from 'vitest';
import { Bell } from '../../../src/domain/session/bell.ts';
import { settled } from '../watch/settled.ts';

/** Listens once, and tells whether it was heard. */
function listen(bell: Bell, controller = new AbortController()) {
  const state = { isHeard: false, error: undefined as unknown };
  bell.heard(controller).then(
    () => {
      state.isHeard = true;
    },
    (error: unknown) => {
      state.error = error;
    },
  );
  return state;
}

describe('Bell', () => {
  it('wakes the one who waits', async () => {
    const bell = new Bell();
    const listener = listen(bell);
    await settled();
    expect(listener.isHeard).toBe(false);
    bell.ring();
    await settled();
    expect(listener.isHeard).toBe(true);
  });

  it('is heard once, however often it rang while nobody listened', async () => {
    const bell = new Bell();
    bell.ring();
    bell.ring();
    const first = listen(bell);
    await settled();
    const second = listen(bell);
    await settled();
    expect([first.isHeard, second.isHeard]).toEqual([true, false]);
    bell.ring();
    await settled();
    expect(second.isHeard).toBe(true);
  });

  it('rejects one who waits with the reason of the abort, and keeps its ring for the next', async () => {
    const bell = new Bell();
    const controller = new AbortController();
    const listener = listen(bell, controller);
    await settled();
    const reason = new Error('enough');
    controller.abort(reason);
    bell.ring();
    await settled();
    expect(listener).toEqual({ isHeard: false, error: reason });
    const next = listen(bell);
    await settled();
    expect(next.isHeard).toBe(true);
  });

  it('rejects one who comes with a signal that has aborted, though it was rung', async () => {
    const bell = new Bell();
    bell.ring();
    const reason = new Error('enough');
    await expect(bell.heard({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await bell.heard(new AbortController());
  });
});
