import { describe, expect, it } from 'vitest';
import { flatten } from '../../../src/documents/flatten.ts';
import type { ContentType } from '../../../src/domain/config/document.ts';

describe('flattening', () => {
  it.each<[ContentType, string, Record<string, string | number | boolean>]>([
    ['text', 'a: b', { '': 'a: b' }],
    ['number', '1e3', { '': 1_000 }],
    ['boolean', 'true', { '': true }],
    [
      'yaml',
      'a:\n  b: 1\n  c:\n    - x\n    - {d: true}\n    - [2]',
      { 'a.b': 1, 'a.c[0]': 'x', 'a.c[1].d': true, 'a.c[2][0]': 2 },
    ],
    ['yaml', 'a: ~\nb: {}\nc: []\nd: ""', { a: '', b: '', c: '', d: '' }],
    ['yaml', 'a: {b/c: 1, d e: {f: 2}}\n"/g": 3', { 'a[b/c]': 1, 'a[d e].f': 2, '[/g]': 3 }],
    ['yaml', 'a.b: {c_d-e: 1}\n"f[0]": 2\ng: {"[h/i]": 3}', { 'a.b.c_d-e': 1, 'f[0]': 2, 'g[h/i]': 3 }],
    ['json', '{"a": {"b": [1, 2]}}', { 'a.b[0]': 1, 'a.b[1]': 2 }],
    ['json', '[{"a": 1}, 2]', { '[0].a': 1, '[1]': 2 }],
    [
      'json',
      '{"a": 12345678901234567890, "b": -9007199254740993, "c": 9007199254740991, "d": 1e22}',
      { a: '12345678901234567890', b: '-9007199254740993', c: 9_007_199_254_740_991, d: 1e22 },
    ],
    ['toml', 'a.b = 1\n[[c]]\nd = 2020-01-01', { 'a.b': 1, 'c[0].d': '2020-01-01' }],
    ['properties', 'a.b[0].c/d=1\ne = ', { 'a.b[0].c/d': '1', e: '' }],
  ])('of %s %j gives %j', (contentType, text, flat) => {
    expect(flatten(contentType, text)).toEqual(new Map(Object.entries(flat)));
  });

  it.each<[ContentType, string]>([
    ['yaml', 'a: b: c'],
    ['json', '{'],
    ['number', 'x'],
    ['toml', 'a'],
  ])('of %s %j, which does not parse, gives nothing', (contentType, text) => {
    expect(flatten(contentType, text)).toBeUndefined();
  });
});
