import { describe, expect, it } from 'vitest';
import { benchHelp, parseOptions, UsageError } from '../../bench/options.ts';
import type { Row } from '../../bench/row.ts';

const row = (name: string, isBar: boolean): Row => ({
  name,
  describes: `measures ${name}`,
  isBar,
  measure: async () => [],
});
const ROWS = [row('get', true), row('pick', false)];
const subjectOf = (...args: readonly string[]) => parseOptions(args, ROWS)?.subject;

describe('the command line of the bench', () => {
  it('names rows, all by default, or those that have to reach something', () => {
    expect(subjectOf()).toEqual({ kind: 'rows', rows: ROWS });
    expect(subjectOf('pick')).toEqual({ kind: 'rows', rows: [ROWS[1]] });
    expect(subjectOf('bars')).toEqual({ kind: 'rows', rows: [ROWS[0]] });
    expect(() => subjectOf('put')).toThrow(UsageError);
  });

  it('asks for growth, which has rounds of its own', () => {
    expect(parseOptions(['growth'], ROWS)).toMatchObject({
      subject: { kind: 'growth' },
      rounds: 2,
      seconds: 0.75,
    });
    expect(parseOptions(['growth', '--rounds', '1', '--seconds', '0.5'], ROWS)).toMatchObject({
      rounds: 1,
      seconds: 0.5,
    });
    expect(() => subjectOf('growth', 'get')).toThrow(UsageError);
  });

  it('writes the documents only with what they are made of', () => {
    expect(parseOptions(['bars', '--document'], ROWS)?.isDocumented).toBe(true);
    expect(parseOptions(['growth', '--document'], ROWS)?.isDocumented).toBe(true);
    expect(() => parseOptions(['get', '--document'], ROWS)).toThrow(UsageError);
    expect(() => parseOptions(['--document'], ROWS)).toThrow(UsageError);
  });

  it('is described by --help', () => {
    expect(parseOptions(['--help'], ROWS)).toBeUndefined();
    for (const words of ['get', 'pick', 'growth', 'bars', '--document', '--no-tools']) {
      expect(benchHelp(ROWS)).toContain(words);
    }
  });
});
