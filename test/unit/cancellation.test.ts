import { describe, expect, it, vi } from 'vitest';
import { type Cancellation, cancellationOf, LazyAbort } from '../../src/domain/cancellation.ts';

const ONCE = { once: true } as const;

describe.each([
  { name: 'a LazyAbort', create: () => new LazyAbort() },
  { name: 'an AbortController', create: createReal },
])('the cancellation of $name', ({ create }) => {
  it('tells all who listen, once, with the first reason', () => {
    const { cancellation, abort } = abortable(create());
    const [first, second] = [listener(), listener()];
    cancellation.addEventListener('abort', first, ONCE);
    cancellation.addEventListener('abort', second, ONCE);
    expect(cancellation).toMatchObject({ aborted: false, reason: undefined });
    cancellation.throwIfAborted();
    abort('first');
    abort('second');
    expect(first.handleEvent).toHaveBeenCalledTimes(1);
    expect(second.handleEvent).toHaveBeenCalledTimes(1);
    expect(cancellation).toMatchObject({ aborted: true, reason: 'first' });
    expect(() => cancellation.throwIfAborted()).toThrow('first');
  });

  it('does not tell those who left, nor those who come after it', () => {
    const { cancellation, abort } = abortable(create());
    const [stays, leaves, late] = [listener(), listener(), listener()];
    for (const each of [leaves, stays]) cancellation.addEventListener('abort', each, ONCE);
    cancellation.removeEventListener('abort', leaves);
    cancellation.removeEventListener('abort', late);
    abort('over');
    cancellation.addEventListener('abort', late, ONCE);
    expect(stays.handleEvent).toHaveBeenCalledTimes(1);
    expect(leaves.handleEvent).not.toHaveBeenCalled();
    expect(late.handleEvent).not.toHaveBeenCalled();
  });

  it('tells the others though one leaves meanwhile', () => {
    const { cancellation, abort } = abortable(create());
    const last = listener();
    const first = { handleEvent: () => cancellation.removeEventListener('abort', first) };
    for (const each of [first, last]) cancellation.addEventListener('abort', each, ONCE);
    abort('over');
    expect(last.handleEvent).toHaveBeenCalledTimes(1);
  });
});

describe('the signal of a LazyAbort', () => {
  it.each(['before', 'after'])('is aborted where it is asked for %s the abort', (when) => {
    const lazy = new LazyAbort();
    const early = when === 'before' ? lazy.signal : undefined;
    lazy.abort('over');
    expect(lazy.signal).toMatchObject({ aborted: true, reason: 'over' });
    expect(early ?? lazy.signal).toBe(lazy.signal);
  });
});

function createReal() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: (reason: unknown) => controller.abort(reason) };
}

function abortable(made: { readonly signal: AbortSignal; abort(reason: unknown): void }): {
  readonly cancellation: Cancellation;
  abort(reason: unknown): void;
} {
  return { cancellation: cancellationOf(made), abort: (reason) => made.abort(reason) };
}

function listener() {
  return { handleEvent: vi.fn() };
}
