import { parse, TomlError } from 'smol-toml';
import { Flaw, MAX_DEPTH, TOO_DEEP } from './flaw.ts';
import { pointerOf } from './json-pointer.ts';
import type { Document } from './read-document.ts';
import { tomlLines } from './toml-lines.ts';

/** What smol-toml says of what is nested too deeply. */
const NESTED = 'document contains excessively nested structures';

/**
 * Reads TOML 1.0. Dates and times become texts, and integers keep each of their digits; `inf` and `nan`, which JSON does not have, are
 * flaws.
 */
export function readToml(text: string): Document {
  // The lines are asked for rarely, and to find them takes longer than to read the text.
  let lines: ReadonlyMap<string, number> | undefined;
  const lineOf = (path: readonly string[]) => {
    lines ??= tomlLines(text);
    for (let length = path.length; length > 0; length--) {
      const line = lines.get(pointerOf(path.slice(0, length)));
      if (line !== undefined) return line;
    }
    return 1;
  };
  return { json: createTomlWriter(lineOf)(parseToml(text), []), lineOf };
}

function parseToml(text: string): unknown {
  try {
    return parse(text, { maxDepth: MAX_DEPTH, integersAsBigInt: 'asNeeded' });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    if (error.message.includes(NESTED)) throw new Flaw(TOO_DEEP, { line: error.line });
    throw new Flaw(`must be TOML: ${reasonOf(error)}`, { line: error.line });
  }
}

/** What stands behind the first line quotes the text. */
function reasonOf(error: TomlError): string {
  const [first = ''] = error.message.split('\n');
  return first.replace('Invalid TOML document: ', '');
}

function createTomlWriter(lineOf: (path: readonly string[]) => number) {
  return function write(value: unknown, path: readonly string[]): string {
    if (path.length > MAX_DEPTH) throw new Flaw(TOO_DEEP);
    if (typeof value === 'bigint') return value.toString();
    if (typeof value === 'number' && !Number.isFinite(value))
      throw new Flaw('must not hold inf, nan or a number as large', {
        path: pointerOf(path),
        line: lineOf(path),
      });
    if (value instanceof Date) return JSON.stringify(value.toISOString());
    if (Array.isArray(value))
      return `[${value.map((item, i) => write(item, [...path, String(i)])).join(',')}]`;
    if (typeof value !== 'object' || value === null) return JSON.stringify(value);
    const members = Object.entries(value).map(
      ([name, member]) => `${JSON.stringify(name)}:${write(member, [...path, name])}`,
    );
    return `{${members.join(',')}}`;
  };
}
