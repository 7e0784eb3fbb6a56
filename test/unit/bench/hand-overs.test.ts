import { describe, expect, it } from 'vitest';
import type { LockClient } from '../../bench/calls/lock-calls.ts';
import { measureHandOvers } from '../../bench/load/hand-overs.ts';

/** Locks in memory: one line for all names. */
function createLocks() {
  const waiting: (() => void)[] = [];
  let inLine = 0;
  let acquired = 0;
  const client: LockClient = {
    async acquire() {
      inLine += 1;
      if (inLine > 1) await new Promise<void>((resolve) => waiting.push(resolve));
      acquired += 1;
      return {
        async release() {
          inLine -= 1;
          waiting.shift()?.();
        },
      };
    },
    async close() {},
  };
  return {
    client,
    acquired: () => acquired,
    inLine: () => inLine,
    async untilInLine(count: number) {
      while (inLine < count) await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

function openClients(client: LockClient, count: number): readonly LockClient[] {
  return Array.from({ length: count }, () => client);
}

const { signal } = new AbortController();

describe('the measure of hand-overs', () => {
  it('gives each that began in time, and leaves nobody in line', async () => {
    const locks = createLocks();
    const { untilInLine } = locks;
    const options = { holdMs: 1, seconds: 0.1, untilInLine, signal };
    const handOvers = await measureHandOvers(openClients(locks.client, 5), 'lock', options);
    expect(handOvers.length).toBeGreaterThan(0);
    expect(locks.acquired()).toBe(handOvers.length + 5);
    expect(locks.inLine()).toBe(0);
    for (const { wholeMs, afterAnswerMs } of handOvers) {
      expect(wholeMs).toBeGreaterThanOrEqual(0);
      expect(afterAnswerMs).toBeLessThanOrEqual(wholeMs);
    }
  });

  it('fails where two hold the lock at once', async () => {
    const locks = createLocks();
    const intruder: LockClient = {
      acquire: async () => ({ release: async () => {} }),
      async close() {},
    };
    const clients = [...openClients(locks.client, 2), intruder];
    const options = { holdMs: 1, seconds: 0.1, untilInLine: () => locks.untilInLine(2), signal };
    await expect(measureHandOvers(clients, 'lock', options)).rejects.toThrow('hold the lock "lock" at once');
  });

  it('fails on abort', async () => {
    const locks = createLocks();
    const stop = new AbortController();
    const { untilInLine } = locks;
    const options = { holdMs: 1, seconds: 60, untilInLine, signal: stop.signal };
    const measured = measureHandOvers(openClients(locks.client, 2), 'lock', options);
    stop.abort(new Error('enough'));
    await expect(measured).rejects.toThrow(/enough|aborted/);
  });
});
