import { escapeKey, escapeValue } from 'properties-file/escape';
import type { TransferEntry, TransferFormat } from '../domain/config/document.ts';
import { writeDotenvLine } from './dotenv.ts';
import { attempt, Flaw } from './flaw.ts';
import { pointerOf } from './json-pointer.ts';
import { readDocument } from './read-document.ts';
import { writeYamlPart } from './write-yaml.ts';

/** Writes entries in the order of their keys, which is that of their UTF-8 bytes, as in etcd. Throws a flaw where it cannot. */
export function writeEntries(format: TransferFormat, entries: readonly TransferEntry[]): string {
  const sorted = entries
    .map((entry) => ({ entry, bytes: Buffer.from(entry.key) }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
    .map(({ entry }) => entry);
  for (const [i, entry] of sorted.entries()) {
    if (entry.key === sorted[i - 1]?.key) throw flawOf(entry, 'must not be there twice');
    require(entry);
  }
  const parts = sorted.map((entry) => writePart(format, entry));
  if (format === 'json') return parts.length === 0 ? '{}\n' : `{\n${parts.join(',\n')}\n}\n`;
  // Without a part a map must be said in brackets.
  if (format === 'yaml' && parts.length === 0) return '{}\n';
  return parts.map((part) => `${part}\n`).join('');
}

function writePart(format: TransferFormat, entry: TransferEntry): string {
  const { key, value } = entry;
  switch (format) {
    case 'json':
      return `  ${JSON.stringify(key)}: ${isText(entry) ? JSON.stringify(value) : value.trim()}`;
    case 'yaml':
      return writeYamlPart(entry, isText(entry));
    case 'properties':
      return `${escapeKey(key, true)}=${escapeValue(value, true)}`;
    case 'dotenv':
      return writeDotenvLine(key, value, (message) => flawOf(entry, message));
  }
}

/** What stands in JSON and YAML as a text; the rest is JSON as it is. */
function isText({ contentType }: TransferEntry): boolean {
  return contentType !== 'json' && contentType !== 'number' && contentType !== 'boolean';
}

/** What is not what it is said to be would break the whole. */
function require(entry: TransferEntry): void {
  if (!entry.key.isWellFormed() || !entry.value.isWellFormed())
    throw flawOf(entry, 'must not hold half of a character');
  if (isText(entry)) return;
  const read = attempt(() => readDocument(entry.contentType, entry.value));
  if (read.kind === 'problem') throw flawOf(entry, read.problem.message);
}

function flawOf({ key }: TransferEntry, message: string): Flaw {
  return new Flaw(message, { path: pointerOf([key]) });
}
