import { describe, expect, it } from 'vitest';
import { readCpuTimeMs } from '../../bench/peers/process-usage.ts';

describe('the CPU time of a process', () => {
  const fields = 'S 1 42 42 0 -1 4194560 100 0 0 0 250 50 7 3 20 0 11 0 123 456 789';

  it('is what it used itself, in user and in system mode', () => {
    expect(readCpuTimeMs(`42 (node) ${fields}`)).toBe(3_000);
  });

  it('is found behind a name that looks like fields', () => {
    expect(readCpuTimeMs(`42 (a) R 1 (b) ${fields}`)).toBe(3_000);
  });

  it('is refused where it is not told', () => {
    expect(() => readCpuTimeMs('42 (node) S 1 42')).toThrow('no CPU time');
  });
});
