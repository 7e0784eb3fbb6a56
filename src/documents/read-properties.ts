import { Properties } from 'properties-file/parser';
import { Flaw } from './flaw.ts';
import type { Document } from './read-document.ts';

/** A property as it stands in a text. */
export interface Property {
  readonly key: string;
  readonly value: string;
  readonly line: number;
}

/** Reads a text as `java.util.Properties` does: of a key that is there twice the last one counts. Throws a flaw where that would throw. */
export function readProperties(text: string): Document {
  const properties = new Map(listProperties(text).map((property) => [property.key, property]));
  const values = [...properties].map(([key, { value }]) => [key, value] as const);
  return {
    json: JSON.stringify(Object.fromEntries(values)),
    lineOf: ([key = '']) => properties.get(key)?.line ?? 1,
  };
}

/** Returns all that a text holds, in its order. */
export function listProperties(text: string): readonly Property[] {
  const properties = parse(text);
  if (properties !== undefined) return properties;
  throw new Flaw('must not hold an escape \\u without four hexadecimal digits', { line: findFlaw(text) });
}

/** Undefined: an escape is malformed, all that can be wrong. */
function parse(text: string): readonly Property[] | undefined {
  try {
    return new Properties(text)
      .getProperties()
      .map(({ key, value, startingLineNumber: line }) => ({ key, value, line }));
  } catch {
    return undefined;
  }
}

/** The parser does not say where: it is the line without which what stands before can be read. */
function findFlaw(text: string): number {
  const lines = text.split(/\r\n|\r|\n/);
  let [good, bad] = [0, lines.length];
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (parse(lines.slice(0, middle).join('\n')) === undefined) bad = middle;
    else good = middle;
  }
  return bad;
}
