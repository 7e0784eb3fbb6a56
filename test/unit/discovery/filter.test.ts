import { describe, expect, it } from 'vitest';
import { createFilter, type FilterOptions } from '../../../src/domain/discovery/filter.ts';
import { someInstance } from './some-instance.ts';

const NONE: FilterOptions = { statuses: [], zones: [], tags: [], version: '', expression: undefined };
const instance = someInstance({ status: 'DRAINING', zone: 'eu-1', tags: ['a', 'b'], version: '1.2' });

describe('a filter', () => {
  it.each<[Partial<FilterOptions>, boolean]>([
    [{}, true],
    [{ statuses: ['UP', 'DRAINING'] }, true],
    [{ statuses: ['UP'] }, false],
    [{ zones: ['eu-2', 'eu-1'] }, true],
    [{ zones: [''] }, false],
    [{ tags: ['b'] }, true],
    [{ tags: ['b', 'a'] }, true],
    [{ tags: ['b', 'c'] }, false],
    [{ version: '1.2' }, true],
    [{ version: '1' }, false],
    [{ expression: () => true }, true],
    [{ expression: () => false }, false],
    [{ zones: ['eu-1'], tags: ['c'] }, false],
  ])('of %j passes an instance only if each of its fields does', (options, passes) => {
    expect(createFilter({ ...NONE, ...options })(instance)).toBe(passes);
  });
});
