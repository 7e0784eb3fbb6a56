import { describe, expect, it } from 'vitest';
import { createRequestIds } from '../../../src/transport/request-id.ts';

describe('a source of request ids', () => {
  it('takes an id that can stand in a header and a log line as it is', () => {
    const requestIdOf = createRequestIds();
    for (const id of ['a', 'A-Z_0.9', 'x'.repeat(128)]) expect(requestIdOf(id)).toBe(id);
  });

  it.each([[undefined], [''], ['x'.repeat(129)], ['a b'], ['a\nb'], ['ä'], [['a', 'b']]])(
    'makes one instead of %j',
    (given) => {
      expect(createRequestIds()(given)).toMatch(/^[\w-]{8,}-1$/);
    },
  );

  it('makes ids that differ within a process and between processes', () => {
    const sources = [createRequestIds(), createRequestIds()];
    const ids = sources.flatMap((requestIdOf) => Array.from({ length: 1_000 }, () => requestIdOf(undefined)));
    expect(new Set(ids).size).toBe(2_000);
  });
});
