import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Column, displayWidth, layOutTable, printable } from '../../../src/cli/table.ts';

interface Row {
  readonly name: string;
  readonly count: number;
}

const COLUMNS: readonly Column<Row>[] = [
  { title: 'NAME', text: ({ name }) => name },
  { title: 'COUNT', text: ({ count }) => String(count), isNumber: true },
];
const plain = { width: undefined, paintTitle: (text: string) => text };

describe('a table', () => {
  it('has aligned columns, numbers at the right, and no space at the end of lines', () => {
    const rows = [
      { name: 'a', count: 7 },
      { name: 'longer', count: 1_000 },
    ];
    expect(layOutTable(COLUMNS, rows, plain)).toEqual(['NAME    COUNT', 'a           7', 'longer   1000']);
  });

  it('is its titles where there are no rows', () => {
    expect(layOutTable(COLUMNS, [], plain)).toEqual(['NAME  COUNT']);
  });

  it('cuts nothing where the width is not known', () => {
    const name = 'x'.repeat(500);
    expect(layOutTable(COLUMNS, [{ name, count: 1 }], plain).at(-1)).toContain(name);
  });

  it('cuts the widest column to the width of the terminal', () => {
    const lines = layOutTable(COLUMNS, [{ name: 'x'.repeat(500), count: 12 }], { ...plain, width: 30 });
    expect(lines.at(-1)).toBe(`${'x'.repeat(22)}…     12`);
  });

  it('cuts what is to stay whole last', () => {
    const columns: readonly Column<string>[] = [
      { title: 'WHEN', text: () => '2026-11-24T13:06:19Z', isWhole: true },
      { title: 'WHAT', text: (text) => text },
    ];
    const cut = (width: number) => layOutTable(columns, ['a comment'], { ...plain, width }).at(-1);
    expect(cut(28)).toBe('2026-11-24T13:06:19Z  a com…');
    expect(cut(24)).toBe('2026-11-24T13:0…  a com…');
  });

  it('is never wider than the terminal, down to 20 columns', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 60 });
    fc.assert(
      fc.property(fc.array(text, { maxLength: 5 }), fc.integer({ min: 20, max: 120 }), (names, width) => {
        const rows = names.map((name) => ({ name, count: name.length }));
        for (const line of layOutTable(COLUMNS, rows, { ...plain, width }))
          expect(displayWidth(line)).toBeLessThanOrEqual(width);
      }),
    );
  });

  it('paints cells after they are laid out', () => {
    const columns = [
      { ...COLUMNS[0], title: 'NAME', text: ({ name }: Row) => name, paint: (text: string) => `<${text}>` },
      COLUMNS[1],
    ];
    const lines = layOutTable(columns as Column<Row>[], [{ name: 'a', count: 7 }], plain);
    expect(lines).toEqual(['NAME  COUNT', '<a   >      7']);
  });

  it('counts wide characters as two columns', () => {
    const lines = layOutTable(
      COLUMNS,
      [
        { name: '配置', count: 1 },
        { name: 'ab', count: 2 },
      ],
      plain,
    );
    expect(lines.map(displayWidth)).toEqual([11, 11, 11]);
  });
});

describe('what is printed of what others wrote', () => {
  it('has no control characters: they are written out', () => {
    expect(printable('a\nb\u001b[31mred\u0000\u202e')).toBe('a\\nb\\u001b[31mred\\u0000\\u202e');
  });
});
