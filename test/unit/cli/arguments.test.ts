import { durationMs } from '@bufbuild/protobuf/wkt';
import { InvalidArgumentError } from 'commander';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ContentTypeSchema } from '../../../gen/concord/config/v1/config_item_pb.ts';
import { Strategy, StrategySchema } from '../../../gen/concord/discovery/v1/discovery_service_pb.ts';
import {
  collectPair,
  enumWord,
  enumWords,
  integerBetween,
  parseDuration,
  parseInt64,
  parseTime,
  valueFields,
} from '../../../src/cli/arguments.ts';

describe('a time', () => {
  it.each([
    ['500ms', 500],
    ['10s', 10_000],
    ['1.5m', 90_000],
    ['1h', 3_600_000],
    ['2d', 172_800_000],
    ['0s', 0],
  ])('%s is %d ms', (text, ms) => {
    expect(parseTime(text)).toBe(ms);
    expect(durationMs(parseDuration(text))).toBe(ms);
  });

  it.each(['', '10', 's', '-1s', '1e3s', '10 s', '10S', '1,5s'])('%j is none', (text) => {
    expect(() => parseTime(text)).toThrow(InvalidArgumentError);
  });
});

describe('a number', () => {
  it('of 64 bits is exact', () => {
    expect(parseInt64('9223372036854775807')).toBe(9_223_372_036_854_775_807n);
  });

  it.each(['9223372036854775808', '-1', '1.5', '0x10', '', ' 1'])('of 64 bits is not %j', (text) => {
    expect(() => parseInt64(text)).toThrow(InvalidArgumentError);
  });

  it.each(['0', '65536', '1.5', 'x', ''])('of a port is not %j', (text) => {
    expect(() => integerBetween(1, 65_535)(text)).toThrow('Expected a whole number from 1 to 65535.');
  });
});

describe('a pair', () => {
  it('ends its key at the first =, and the last of a key counts', () => {
    const pairs = collectPair('a=2', collectPair('b=x=y', collectPair('a=1')));
    expect([...pairs]).toEqual([
      ['a', '2'],
      ['b', 'x=y'],
    ]);
  });

  it.each(['a', '=b', ''])('is not %j', (text) => {
    expect(() => collectPair(text)).toThrow(InvalidArgumentError);
  });
});

describe('the words of an enum', () => {
  it('are its names without what they share', () => {
    expect([...enumWords(StrategySchema).keys()]).toEqual([
      'first',
      'random',
      'round-robin',
      'weighted',
      'zone-first',
      'hash',
    ]);
    expect(enumWord(StrategySchema, Strategy.ROUND_ROBIN)).toBe('round-robin');
    expect(enumWord(ContentTypeSchema, 0)).toBe('');
  });
});

describe('a value', () => {
  it('is text where it is UTF-8, else bytes, and either way the same bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const fields = valueFields(bytes);
        const back = 'value' in fields ? Buffer.from(fields.value) : Buffer.from(fields.valueBytes);
        expect(back).toEqual(Buffer.from(bytes));
      }),
    );
  });
});
