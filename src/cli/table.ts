/** One column of a table. */
export interface Column<Row> {
  readonly title: string;
  readonly text: (row: Row) => string;
  /** Numbers stand at the right. @default false */
  readonly isNumber?: boolean;
  /** Is cut only when nothing else is left to cut: half of a time says nothing. @default whether it is a number */
  readonly isWhole?: boolean;
  /** Colours a cell that is laid out already. @default none */
  readonly paint?: (text: string) => string;
}

/** How a table is laid out. */
export interface TableOptions {
  /** Columns of the terminal; undefined: no row is cut. */
  readonly width: number | undefined;
  /** Makes the titles stand out. */
  readonly paintTitle: (text: string) => string;
}

const GAP = '  ';
const NARROWEST = 6;
const WIDE =
  /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|[\uff01-\uff60]|\p{Emoji_Presentation}/u;

/**
 * Lays rows out in columns, without borders. Where a terminal is narrower than they are, the widest columns are cut, each cut cell
 * ends with `…`; nothing is cut where the width is not known, so that a script sees everything.
 */
export function layOutTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  { width, paintTitle }: TableOptions,
): readonly string[] {
  const cells = rows.map((row) => columns.map(({ text }) => printable(text(row))));
  const natural = columns.map(({ title }, at) =>
    Math.max(displayWidth(title), ...cells.map((row) => displayWidth(row[at] ?? ''))),
  );
  const isWhole = columns.map((column) => column.isWhole ?? column.isNumber === true);
  const widths = width === undefined ? natural : narrow(natural, isWhole, width);
  const laidOut = (texts: readonly string[]) =>
    texts.map((text, at) => pad(cut(text, widths[at] ?? 0), widths[at] ?? 0, columns[at]?.isNumber === true));
  const titles = laidOut(columns.map(({ title }) => title));
  const lines = cells.map((texts) =>
    laidOut(texts)
      .map((text, at) => columns[at]?.paint?.(text) ?? text)
      .join(GAP)
      .trimEnd(),
  );
  return [paintTitle(titles.join(GAP).trimEnd()), ...lines];
}

/** Writes control characters so that they can be seen and do nothing: what a table or a line shows may come from anybody. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replaceAll(/[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, escaped);
}

/** How many columns of a terminal a text takes. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const { segment } of new Intl.Segmenter().segment(text)) width += WIDE.test(segment) ? 2 : 1;
  return width;
}

function escaped(character: string): string {
  const short = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }[character];
  return short ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** Takes from the widest columns until the whole fits, or none can give more; from those that are to be whole last. */
function narrow(natural: readonly number[], isWhole: readonly boolean[], width: number): readonly number[] {
  const widths = [...natural];
  let excess = widths.reduce((sum, each) => sum + each, GAP.length * (widths.length - 1)) - width;
  for (const turn of [false, true]) {
    while (excess > 0) {
      const widest = Math.max(...widths.filter((_, at) => turn || !isWhole[at]), 0);
      if (widest <= NARROWEST) break;
      const at = widths.findLastIndex((each, index) => each === widest && (turn || !isWhole[index]));
      widths[at] = widest - 1;
      excess -= 1;
    }
  }
  return widths;
}

function cut(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let kept = '';
  let keptWidth = 0;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    keptWidth += displayWidth(segment);
    if (keptWidth > width - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}

function pad(text: string, width: number, isNumber: boolean): string {
  const space = ' '.repeat(Math.max(0, width - displayWidth(text)));
  return isNumber ? space + text : text + space;
}
