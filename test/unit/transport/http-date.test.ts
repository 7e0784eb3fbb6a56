import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { httpDate } from '../../../src/transport/http-date.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

describe('the date of an answer', () => {
  it.each([
    ['1994-11-06T08:49:37.999Z', 'Sun, 06 Nov 1994 08:49:37 GMT'],
    ['1994-11-06T08:49:38.000Z', 'Sun, 06 Nov 1994 08:49:38 GMT'],
    ['2024-02-29T23:59:59.000Z', 'Thu, 29 Feb 2024 23:59:59 GMT'],
    ['1994-11-06T08:49:37.000Z', 'Sun, 06 Nov 1994 08:49:37 GMT'],
  ])('is %s as %s', (now, text) => {
    vi.setSystemTime(new Date(now));
    expect(httpDate()).toBe(text);
    expect(httpDate()).toBe(text);
  });
});
