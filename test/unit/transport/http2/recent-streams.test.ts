import { describe, expect, it } from 'vitest';
import { RecentStreams } from '../../../../src/transport/http2/recent-streams.ts';

describe('the recent streams', () => {
  it('are so many at least, and twice as many at most', () => {
    const streams = new RecentStreams(100);
    for (let id = 1; id <= 10_000; id += 1) {
      streams.add(id);
      expect([id, id - 1, id - 99].filter((each) => each > 0).every((each) => streams.has(each))).toBe(true);
      expect(streams.has(id - 200)).toBe(false);
    }
  });
});
