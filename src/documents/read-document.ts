import type { ContentType } from '../domain/config/document.ts';
import { Flaw } from './flaw.ts';
import { findInTree, isJsonNumber, lineAt, readJsonTree } from './json-tree.ts';
import { readProperties } from './read-properties.ts';
import { readToml } from './read-toml.ts';
import { readYaml } from './read-yaml.ts';

/** A text that was read. */
export interface Document {
  /** What it holds, as JSON: numbers stand there with each of their digits. */
  readonly json: string;
  /** Returns the line, from 1, of what a path says, or of the part of it that is nearest; 0: it is not known. */
  lineOf(path: readonly string[]): number;
}

/** Above these many characters a parser that takes its time takes too much of it. */
const LARGE = 16_384;

/** Returns whether a text must be read under a time limit; below, that would take longer than to read it. */
export function isSlowToRead(contentType: ContentType, text: string): boolean {
  return text.length > LARGE && contentType !== 'text';
}

/** Reads a text as what it is said to be; throws a flaw where it is not. */
export function readDocument(contentType: ContentType, text: string): Document {
  switch (contentType) {
    case 'text':
      return { json: JSON.stringify(text), lineOf: () => 1 };
    case 'number':
      if (!isJsonNumber(text)) throw new Flaw('must be a number', { line: 1 });
      return { json: text, lineOf: () => 1 };
    case 'boolean':
      if (text !== 'true' && text !== 'false') throw new Flaw('must be true or false', { line: 1 });
      return { json: text, lineOf: () => 1 };
    case 'json':
      return readJson(text);
    case 'yaml':
      return readYaml(text);
    case 'toml':
      return readToml(text);
    case 'properties':
      return readProperties(text);
  }
}

/** Returns what a document holds. Integers that a double cannot hold are rounded, as `JSON.parse` does: schemas take them for numbers. */
export function dataOf(document: Document): unknown {
  return JSON.parse(document.json);
}

function readJson(text: string): Document {
  const tree = readJsonTree(text);
  return { json: text, lineOf: (path) => lineAt(text, findInTree(tree, path).start) };
}
