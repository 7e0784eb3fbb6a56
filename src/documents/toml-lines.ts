import { parse } from 'smol-toml';
import { pointerOf } from './json-pointer.ts';

/** Up to these many characters are read again to find where a value that has several lines ends. */
const MAX_REREAD = 4_194_304;

/**
 * Returns the line, from 1, of each part of a TOML text by its JSON Pointer. The parser does not say them, so each statement is read by
 * itself: it ends where it first can be read, since none can go on behind a line on which it is whole. All parts of a value are said to
 * stand where its statement begins.
 */
export function tomlLines(text: string): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  /** How many tables an array of tables has so far. */
  const counts = new Map<string, number>();
  let table: readonly string[] = [];
  let chunk = '';
  let start = 1;
  let reread = 0;
  for (const [i, line] of text.split('\n').entries()) {
    chunk = chunk === '' ? line : `${chunk}\n${line}`;
    reread += chunk.length;
    if (reread > text.length + MAX_REREAD) break;
    const statement = parseStatement(chunk);
    if (statement === undefined) continue;
    if (/^\s*\[/.test(chunk)) {
      table = tablePath(statement, counts);
      note(found, table, start);
    } else noteParts(found, table, statement, start);
    chunk = '';
    start = i + 2;
  }
  return found;
}

function parseStatement(chunk: string): unknown {
  try {
    return parse(chunk, { integersAsBigInt: 'asNeeded' });
  } catch {
    // It has not ended yet.
    return undefined;
  }
}

/** Follows a header, such as `[a.b]` or `[[a.b]]`, to the table that it stands for: of an array of tables the last one. */
function tablePath(header: unknown, counts: Map<string, number>): readonly string[] {
  const path: string[] = [];
  for (let at = header; typeof at === 'object' && at !== null; ) {
    const [[name, next] = []] = Object.entries(at);
    if (name === undefined) break;
    path.push(name);
    const pointer = pointerOf(path);
    if (Array.isArray(next)) counts.set(pointer, (counts.get(pointer) ?? 0) + 1);
    const count = counts.get(pointer);
    if (count !== undefined) path.push(String(count - 1));
    at = Array.isArray(next) ? undefined : next;
  }
  return path;
}

function noteParts(found: Map<string, number>, path: readonly string[], value: unknown, line: number): void {
  if (path.length > 0) note(found, path, line);
  if (typeof value !== 'object' || value === null || value instanceof Date) return;
  for (const [name, part] of Object.entries(value)) noteParts(found, [...path, name], part, line);
}

/** The first line counts: a table may be said again by what is added to it. */
function note(found: Map<string, number>, path: readonly string[], line: number): void {
  const pointer = pointerOf(path);
  if (!found.has(pointer)) found.set(pointer, line);
}
