import type { ContentType } from '../domain/config/document.ts';
import { attempt } from './flaw.ts';
import { type Document, isSlowToRead, readDocument } from './read-document.ts';
import { createTimeLimits } from './time-limit.ts';

const MAX_MS = 1_000;
/** What JSON has beyond the types of TypeScript (https://tc39.es/proposal-json-parse-with-source). */
const EXACT_JSON = JSON as unknown as {
  parse(
    text: string,
    reviver: (name: string, value: unknown, context: { readonly source: string }) => unknown,
  ): unknown;
};

/**
 * Returns a value as flat properties, as Spring's `YamlProcessor` does: names are joined with dots, the parts of lists are `[0]`, names
 * with characters other than letters, digits, `_`, `-` and `.` stand in brackets, unless they have some of their own; null, and a map or
 * list that holds nothing, are empty texts. The names of `.properties` stay as they are. A value that is no map and no list has the empty name. Integers that a double cannot hold are texts. Undefined: it does not
 * parse as its content type, or not within a second.
 */
export function flatten(
  contentType: ContentType,
  text: string,
): ReadonlyMap<string, string | number | boolean> | undefined {
  const read = attempt(() => {
    if (!isSlowToRead(contentType, text)) return readDocument(contentType, text);
    return createTimeLimits()(MAX_MS).run(() => readDocument(contentType, text), 'takes too long to read');
  });
  if (read.kind === 'problem') return undefined;
  const found = new Map<string, string | number | boolean>();
  const data = exactDataOf(read.value);
  if (contentType === 'properties') return new Map(Object.entries(data as Record<string, string>));
  add(found, '', data);
  return found;
}

function exactDataOf({ json }: Document): unknown {
  // There are few such integers, and looking at each value takes time.
  if (!/\d{16}/.test(json)) return JSON.parse(json);
  return EXACT_JSON.parse(json, (_, value, { source }) =>
    Number.isInteger(value) && !Number.isSafeInteger(value) && /^-?\d+$/.test(source) ? source : value,
  );
}

function add(found: Map<string, string | number | boolean>, name: string, value: unknown): void {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
    found.set(name, value);
    return;
  }
  const parts = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  if (parts.length === 0) found.set(name, '');
  for (const [part, inner] of parts)
    add(found, Array.isArray(value) ? `${name}[${part}]` : joined(name, part), inner);
}

function joined(name: string, part: string): string {
  if (part.startsWith('[')) return name + part;
  if (!/^[\w.-]+$/.test(part) && !part.includes('[')) return `${name}[${part}]`;
  return name === '' ? part : `${name}.${part}`;
}
