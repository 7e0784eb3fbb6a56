import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLError } from 'yaml';
import { Flaw, TOO_DEEP } from './flaw.ts';
import type { Document } from './read-document.ts';
import { createYamlWriter, keyTextOf } from './yaml-to-json.ts';

/** A YAML text that was read. */
export interface YamlDocument extends Document {
  /** Of a map: its parts in the order of the text. Undefined: it holds something else. */
  readonly parts: readonly YamlPart[] | undefined;
}

/** A part of a map. */
export interface YamlPart {
  readonly key: string;
  /** The value as JSON. */
  readonly json: string;
}

/** In our words: those of the parser quote the text. */
const WORDS: Partial<Record<YAMLError['code'], string>> = {
  BAD_INDENT: 'must be YAML: the indentation is wrong',
  TAB_AS_INDENT: 'must be YAML: tabs cannot indent',
  MISSING_CHAR: 'must be YAML: a character is missing, such as a comma, a quote or a bracket',
  UNEXPECTED_TOKEN: 'must be YAML: something stands where it cannot',
  BAD_SCALAR_START: 'must be YAML: a text that starts like this must be quoted',
  BAD_DQ_ESCAPE: 'must be YAML: an escape that does not exist',
  BLOCK_AS_IMPLICIT_KEY: 'must be YAML: a map cannot stand on the line of a key',
  MULTILINE_IMPLICIT_KEY: 'must be YAML: a key must stand on one line',
  MULTIPLE_DOCS: 'must be one YAML document',
  RESOURCE_EXHAUSTION: TOO_DEEP,
};

/**
 * Reads one document of YAML 1.2 that holds what JSON can hold. Keys that are numbers or booleans are taken as texts, as they are written;
 * `<<` is a key like others, since YAML 1.2 knows no merge.
 */
export function readYaml(text: string, depth = 0): YamlDocument {
  const lines = new LineCounter();
  const { contents, errors } = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    // With `silent` what stands behind the first document would be passed over.
    logLevel: 'error',
    // A text that says it is of YAML 1.1 is read as 1.2 nevertheless: `no` is a text.
    schema: 'core',
    merge: false,
    resolveKnownTags: false,
    // The parser compares each key with each other.
    uniqueKeys: false,
  });
  const lineOf = (node: Node | null) => (node?.range ? lines.linePos(node.range[0]).line : 0);
  const [error] = errors;
  if (error !== undefined) {
    const said = WORDS[error.code] ?? `must be YAML: ${error.code.toLowerCase().replaceAll('_', ' ')}`;
    throw new Flaw(said, { line: lines.linePos(error.pos[0]).line });
  }
  const writer = createYamlWriter(lineOf);
  const json = writer.write(contents, -depth);
  return {
    json,
    parts: isMap(contents)
      ? contents.items.map(({ key, value }) => ({ key: keyTextOf(key), json: writer.written(value) }))
      : undefined,
    lineOf: (path) => lineOf(findNode(contents, path)),
  };
}

/** Returns the node of a path: of a member its key, which stands where one looks for it. */
function findNode(root: Node | null, path: readonly string[]): Node | null {
  let node = root;
  let place = root;
  for (const name of path) {
    if (isAlias(node)) break;
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && keyTextOf(key) === name);
      if (pair === undefined) break;
      place = pair.key as Node;
      node = pair.value as Node | null;
    } else if (isSeq(node)) {
      node = (node.items[Number(name)] ?? null) as Node | null;
      place = node ?? place;
    } else break;
  }
  return place;
}
