import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TokenBucket } from '../../../../src/transport/http2/token-bucket.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

function takeAll(bucket: TokenBucket): number {
  let taken = 0;
  while (bucket.take()) taken += 1;
  return taken;
}

describe('a token bucket', () => {
  it('gives its burst at once, and then what each second brings', () => {
    const bucket = new TokenBucket(10, 4);
    expect(takeAll(bucket)).toBe(10);
    vi.advanceTimersByTime(500);
    expect(takeAll(bucket)).toBe(2);
    vi.advanceTimersByTime(1_000);
    expect(takeAll(bucket)).toBe(4);
  });

  it('is never fuller than its burst', () => {
    const bucket = new TokenBucket(10, 4);
    expect(takeAll(bucket)).toBe(10);
    vi.advanceTimersByTime(3_600_000);
    expect(takeAll(bucket)).toBe(10);
  });

  it('gives several tokens or none', () => {
    const bucket = new TokenBucket(10, 4);
    expect([bucket.take(8), bucket.take(8), bucket.take(2), bucket.take(0)]).toEqual([
      true,
      false,
      true,
      true,
    ]);
  });
});
