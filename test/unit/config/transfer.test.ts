import { describe, expect, it } from 'vitest';
import { createDocuments } from '../../../src/documents/create-documents.ts';
import type { ConfigItem } from '../../../src/domain/config/config-item.ts';
import type { TransferFormat } from '../../../src/domain/config/document.ts';
import { exportItems, importEdits } from '../../../src/domain/config/transfer.ts';
import type { ShownItem } from '../../../src/domain/config/vault.ts';
import { DomainError } from '../../../src/domain/errors.ts';
import { someItem } from './some-item.ts';

const documents = createDocuments();
const FORMATS: readonly TransferFormat[] = ['json', 'yaml', 'properties', 'dotenv'];
const decoder = new TextDecoder();

function edits(format: TransferFormat, text: string, items: readonly ConfigItem[] = [], isReplacing = false) {
  const known = new Map(items.map((item) => [item.key, item]));
  return importEdits(documents, format, text, known, isReplacing).map((edit) =>
    edit.kind === 'delete'
      ? [edit.kind, edit.key]
      : [edit.kind, edit.key, decoder.decode(edit.value), edit.contentType],
  );
}

function failureIn(act: () => unknown): DomainError {
  try {
    act();
  } catch (error) {
    if (error instanceof DomainError) return error;
    throw error;
  }
  throw new Error('it succeeded');
}

describe('the export of items', () => {
  it.each(FORMATS)('is what an import of it makes, as %s', (format) => {
    const items = [
      someItem('A', 'x=y "z" # no comment'),
      someItem('B', '-1.50', { contentType: 'number' }),
      someItem('C', 'true', { contentType: 'boolean' }),
      someItem('D', '{"a":[1,null]}', { contentType: 'json' }),
      someItem('E', 'a: 1\nb: 2\n', { contentType: 'yaml' }),
      someItem('F', ''),
    ];
    const { text, redactedKeys } = exportItems(documents, format, items);
    expect(redactedKeys).toEqual([]);
    expect(edits(format, text, items)).toEqual(
      items.map(({ key, value, contentType }) => ['put', key, decoder.decode(value), contentType]),
    );
  });

  it('leaves out what is redacted, and says so', () => {
    const hidden: ShownItem = { ...someItem('password', ''), isSecret: true, value: undefined };
    const { text, redactedKeys } = exportItems(documents, 'json', [someItem('a', '1'), hidden]);
    expect(JSON.parse(text)).toEqual({ a: '1' });
    expect(redactedKeys).toEqual(['password']);
  });

  it('fails where a value is not UTF-8, or a key none of the format', () => {
    const bytes = someItem('a/b~c', '', { value: Uint8Array.of(0xff) });
    expect(failureIn(() => exportItems(documents, 'json', [bytes]))).toMatchObject({
      reason: 'CONFIG_FORMAT_UNFIT',
      metadata: { key: 'a/b~c' },
    });
    expect(failureIn(() => exportItems(documents, 'dotenv', [someItem('a/b~c d', 'x')]))).toMatchObject({
      reason: 'CONFIG_FORMAT_UNFIT',
      metadata: { key: 'a/b~c d' },
    });
  });
});

describe('what an import writes', () => {
  it('is in the order of the keys, whatever that of the text is', () => {
    const text = '{"b":"2","😀":"5","￮":"4","a":"1","a/b":"3"}';
    expect(edits('json', text).map(([, key]) => key)).toEqual(['a', 'a/b', 'b', '￮', '😀']);
  });

  it('keeps the content type that an item has, where the value parses as that', () => {
    const items = [
      someItem('n', '1', { contentType: 'number' }),
      someItem('y', 'a: 1', { contentType: 'yaml' }),
    ];
    expect(edits('properties', 'n=2\ny=b: 2\nz=3', items)).toEqual([
      ['put', 'n', '2', 'number'],
      ['put', 'y', 'b: 2', 'yaml'],
      ['put', 'z', '3', 'text'],
    ]);
    expect(edits('properties', 'n=two', items)).toEqual([['put', 'n', 'two', 'text']]);
  });

  it('deletes what the text does not hold, where it replaces, but no secret', () => {
    const items = [someItem('a', '1'), someItem('c', '1'), someItem('s', '1', { isSecret: true })];
    expect(edits('json', '{"b":"2"}', items)).toEqual([['put', 'b', '2', 'text']]);
    expect(edits('json', '{"b":"2"}', items, true)).toEqual([
      ['delete', 'a'],
      ['put', 'b', '2', 'text'],
      ['delete', 'c'],
    ]);
    expect(edits('json', '{}', items, true)).toEqual([
      ['delete', 'a'],
      ['delete', 'c'],
    ]);
  });

  it.each<[TransferFormat, string, string]>([
    ['json', '{"a":"1",\n\n"b":}', '3'],
    ['json', '[1]', '1'],
    ['json', '{"a":1,\n"a":2}', '2'],
    ['yaml', 'a: 1\nb: [', '2'],
    ['yaml', 'a: 1\n---\nb: 2', '2'],
    ['properties', 'a=1\nb=\\u00zz', '2'],
    ['properties', 'a=1\na=2', '2'],
    ['dotenv', 'A=1\nnothing here\n', '2'],
  ])('is nothing where a text is no %s: %j', (format, text, line) => {
    const failure = failureIn(() => edits(format, text));
    expect(failure).toMatchObject({ reason: 'CONFIG_TEXT_INVALID', metadata: { line } });
    expect(failure.message).toContain(`line ${line}`);
  });

  it.each([
    ['{"":1}', 'json'],
    ['{"a\\nb":1}', 'json'],
    ['{"\\u0085":1}', 'json'],
    ['{"\\ud800":1}', 'json'],
    [`{"${'ä'.repeat(513)}":1}`, 'json'],
    ['=1', 'properties'],
  ] as const)('is nothing where a key cannot be one: %s', (text, format) => {
    expect(failureIn(() => edits(format, text))).toMatchObject({ reason: 'CONFIG_TEXT_INVALID' });
  });

  it('is 10,000 items at most', () => {
    const textOf = (count: number) =>
      JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 1])));
    expect(edits('json', textOf(10_000))).toHaveLength(10_000);
    expect(failureIn(() => edits('json', textOf(10_001)))).toMatchObject({ reason: 'CONFIG_TEXT_INVALID' });
  });
});
