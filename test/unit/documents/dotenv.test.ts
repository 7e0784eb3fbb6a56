import { describe, expect, it } from 'vitest';
import { readDotenv, writeDotenvLine } from '../../../src/documents/dotenv.ts';
import { Flaw } from '../../../src/documents/flaw.ts';

function read(text: string): Record<string, string> {
  return Object.fromEntries(readDotenv(text).map(({ key, value }) => [key, value]));
}

function flawIn(text: string): unknown {
  try {
    readDotenv(text);
    return undefined;
  } catch (error) {
    return error instanceof Flaw ? error.problem : error;
  }
}

describe('dotenv', () => {
  it.each<[string, Record<string, string>]>([
    ['A=1\nB = 2 \r\nexport C=3', { A: '1', B: '2', C: '3' }],
    ['# x\n\n  A=1 # y\nB=a#b\nC=#', { A: '1', B: 'a#b', C: '' }],
    ['A=\nB=""\nC=\'\'', { A: '', B: '', C: '' }],
    ['A=\'a "b" \\n $C #\' # x', { A: 'a "b" \\n $C #' }],
    ['A="a\\nb\\t\\"\\\\\\$\\`\\x"', { A: 'a\nb\t"\\$`\\x' }],
    ['A="a\n# b"\nB=`c\n"\'`', { A: 'a\n# b', B: 'c\n"\'' }],
    ["A=$B $C it's", { A: "$B $C it's" }],
    ['a.b-c_d=1', { 'a.b-c_d': '1' }],
  ])('%j gives %j', (text, values) => {
    expect(read(text)).toEqual(values);
  });

  it.each<[string, number, string]>([
    ['A=1\nsesame', 2, 'must be lines like NAME=value'],
    ['1A=sesame', 1, 'must be lines like NAME=value'],
    ['A="\n\nx"\nB="sesame', 4, 'must end the quote that it begins'],
    ['A="\n" sesame', 2, 'must have nothing behind the end of a quote'],
  ])('%j is wrong in line %j', (text, line, message) => {
    expect(flawIn(text)).toEqual({ message, path: '', line });
  });

  it.each<[string, string]>([
    ['http://a:80/b', 'K=http://a:80/b'],
    ['', 'K='],
    ['a b', "K='a b'"],
    ['a "b"\\n $c', 'K=\'a "b"\\n $c\''],
    ['two\nlines', "K='two\nlines'"],
    ['it\'s `a` $b "c" \\d\r\n', 'K="it\'s \\`a\\` \\$b \\"c\\" \\\\d\\r\\n"'],
  ])('holds %j as %s', (value, line) => {
    expect(writeDotenvLine('K', value, (message) => new Flaw(message))).toBe(line);
    expect(read(line)).toEqual({ K: value });
  });
});
