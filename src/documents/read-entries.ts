import type { TransferEntry, TransferFormat } from '../domain/config/document.ts';
import { readDotenv } from './dotenv.ts';
import { Flaw, MAX_DEPTH } from './flaw.ts';
import { pointerOf } from './json-pointer.ts';
import { lineAt, readJsonTree } from './json-tree.ts';
import { listProperties } from './read-properties.ts';
import { readYaml } from './read-yaml.ts';

/** Reads entries in the order of the text; throws a flaw where it is not of its format, or holds a key twice. */
export function readEntries(format: TransferFormat, text: string): readonly TransferEntry[] {
  switch (format) {
    case 'json':
      return readJsonEntries(text);
    case 'yaml':
      return readYamlEntries(text);
    case 'properties':
      return textEntries(listProperties(text));
    case 'dotenv':
      return textEntries(readDotenv(text));
  }
}

function readJsonEntries(text: string): readonly TransferEntry[] {
  const root = readJsonTree(text, MAX_DEPTH + 1);
  if (root.members === undefined) throw new Flaw('must be a JSON object', { line: lineAt(text, root.start) });
  return [...root.members].map(([key, { start, end }]) => entryOf(key, text.slice(start, end)));
}

function readYamlEntries(text: string): readonly TransferEntry[] {
  const { parts, json, lineOf } = readYaml(text, 1);
  // A text that is empty, or has comments alone, is null.
  if (parts === undefined && json !== 'null') throw new Flaw('must be a YAML map', { line: lineOf([]) });
  return (parts ?? []).map((part) => entryOf(part.key, part.json));
}

/** Says what a part holds by what its JSON begins with. */
function entryOf(key: string, json: string): TransferEntry {
  if (json.startsWith('"')) return { key, value: JSON.parse(json) as string, contentType: 'text' };
  if (json === 'true' || json === 'false') return { key, value: json, contentType: 'boolean' };
  return { key, value: json, contentType: /^[-\d]/.test(json) ? 'number' : 'json' };
}

function textEntries(
  pairs: readonly { readonly key: string; readonly value: string; readonly line: number }[],
): readonly TransferEntry[] {
  const keys = new Set<string>();
  return pairs.map(({ key, value, line }) => {
    if (keys.has(key)) throw new Flaw('must not be there twice', { path: pointerOf([key]), line });
    keys.add(key);
    return { key, value, contentType: 'text' };
  });
}
