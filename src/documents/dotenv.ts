import { Flaw } from './flaw.ts';

/** A variable as it stands in a text. */
export interface Variable {
  readonly key: string;
  readonly value: string;
  readonly line: number;
}

const NAME = /^[A-Za-z_][A-Za-z0-9_.-]*$/;
/** What every reader takes as it stands. */
const PLAIN = /^[\w./:@%+,-]*$/;
/** In single quotes nothing has a meaning but their end. A return would be lost in readers that know the line ends of Windows. */
const LITERAL = /^[^'\r]*$/;
const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  '\\': '\\',
  '"': '"',
  $: '$',
  '`': '`',
};

const VOID = /(?:\s|#[^\n]*)*/y;
const NAME_AND_SIGN = /(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*=[ \t]*/y;
const LINE_END = /[ \t\r]*(?:#[^\n]*)?(?:\n|$)/y;
const UNQUOTED = /[^\n]*/y;

/**
 * Writes a variable on a line, or on several where its value has them. There is no standard, and no library that reads back all that it
 * writes: `dotenv` knows no escape of a quote. So values stand as they are where each reader agrees, else in single quotes, which all
 * take literally, else in double quotes with escapes as a shell has them, and `\n`, `\r`, `\t`.
 */
export function writeDotenvLine(key: string, value: string, flawOf: (message: string) => Flaw): string {
  if (!NAME.test(key))
    throw flawOf('must have a key of letters, digits, _, - and . that begins with a letter or _');
  if (value.includes('\0')) throw flawOf('must not hold a zero character, which no variable can');
  if (PLAIN.test(value)) return `${key}=${value}`;
  if (LITERAL.test(value)) return `${key}='${value}'`;
  const escaped = value
    .replace(/[\\"$`]/g, '\\$&')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r');
  return `${key}="${escaped}"`;
}

/**
 * Reads variables in the order of the text. `export` and comments are passed over; in double quotes escapes count, in others all stands
 * for itself; without quotes a value ends before ` #` or with its line. `$` means nothing: values are not put together.
 */
export function readDotenv(text: string): readonly Variable[] {
  const variables: Variable[] = [];
  let line = 1;
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found === null) return null;
    at += found[0].length;
    for (const character of found[0]) if (character === '\n') line++;
    return found;
  };
  for (take(VOID); at < text.length; take(VOID)) {
    const start = line;
    const key = take(NAME_AND_SIGN)?.[1];
    if (key === undefined) throw new Flaw('must be lines like NAME=value', { line });
    const quote = text[at];
    if (quote !== '"' && quote !== "'" && quote !== '`') {
      variables.push({ key, value: unquoted(take(UNQUOTED)?.[0] ?? ''), line: start });
      continue;
    }
    const end = endOfQuoted(text, at, quote);
    if (end === -1) throw new Flaw('must end the quote that it begins', { line: start });
    const inner = text.slice(at + 1, end);
    for (const character of inner) if (character === '\n') line++;
    at = end + 1;
    if (take(LINE_END) === null) throw new Flaw('must have nothing behind the end of a quote', { line });
    variables.push({ key, value: quote === '"' ? withoutEscapes(inner) : inner, line: start });
  }
  return variables;
}

function unquoted(rest: string): string {
  return rest.replace(/(?:^|[ \t])#.*$/s, '').trim();
}

function endOfQuoted(text: string, start: number, quote: string): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === quote) return at;
    if (text[at] === '\\' && quote === '"') at++;
  }
  return -1;
}

function withoutEscapes(inner: string): string {
  return inner.replace(/\\(.)/gs, (all, character: string) => ESCAPES[character] ?? all);
}
