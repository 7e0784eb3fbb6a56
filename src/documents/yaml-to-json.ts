import { isAlias, isMap, isScalar, isSeq, type Node, type Scalar } from 'yaml';
import { Flaw, MAX_DEPTH, TOO_DEEP } from './flaw.ts';
import { isJsonNumber } from './json-tree.ts';

/** How large a document may become through its aliases, in characters of JSON. */
const MAX_EXPANDED = 4_194_304;

const JSON_TAGS = new Set([
  '!',
  ...['str', 'int', 'float', 'bool', 'null', 'map', 'seq'].map((name) => `tag:yaml.org,2002:${name}`),
]);

/** Writes the nodes of one document. */
interface YamlWriter {
  /** Returns a node as JSON; throws a flaw where JSON cannot hold it. Nodes must come in the order of the text. */
  write(node: unknown, depth: number): string;
  /** Returns what a node was written as. */
  written(node: unknown): string;
}

/** Creates it: numbers keep each of their digits, and what an alias stands for is written where it stands. */
export function createYamlWriter(lineOf: (node: Node | null) => number): YamlWriter {
  const anchors = new Map<string, string>();
  const written = new Map<unknown, string>();
  let expanded = 0;

  function fail(message: string, node: unknown): never {
    throw new Flaw(message, { line: lineOf(node as Node | null) });
  }

  function write(node: unknown, depth: number): string {
    if (depth > MAX_DEPTH) fail(TOO_DEEP, node);
    if (isAlias(node)) return expand(node);
    const json = writeNode(node, depth);
    written.set(node, json);
    if (typeof node === 'object' && node !== null && 'anchor' in node && typeof node.anchor === 'string')
      anchors.set(node.anchor, json);
    return json;
  }

  function expand(alias: Node & { readonly source: string }): string {
    // An anchor counts from where its value ends: until then it would stand within itself.
    const json = anchors.get(alias.source);
    if (json === undefined) fail('must not refer to what stands around or behind the alias', alias);
    expanded += json.length;
    if (expanded > MAX_EXPANDED) fail('must not repeat as much as this through aliases', alias);
    written.set(alias, json);
    return json;
  }

  function writeNode(node: unknown, depth: number): string {
    if (node === null || node === undefined) return 'null';
    if (hasForeignTag(node)) fail('must not hold a tag beyond those for what JSON can hold', node);
    if (isScalar(node)) return writeScalar(node);
    if (isSeq(node)) return `[${node.items.map((item) => write(item, depth + 1)).join(',')}]`;
    if (!isMap(node)) fail('must hold maps, lists and scalars', node);
    const names = new Set<string>();
    const members = node.items.map(({ key, value }) => {
      // A key that is not there is null, and is written as nothing.
      if (!isScalar(key) || (key.value === null && !key.source)) fail('must have texts as keys', key ?? node);
      write(key, depth + 1);
      const name = keyTextOf(key);
      if (names.has(name)) fail('must not hold a key twice', key);
      names.add(name);
      return `${JSON.stringify(name)}:${write(value, depth + 1)}`;
    });
    return `{${members.join(',')}}`;
  }

  function writeScalar(scalar: Scalar): string {
    const { value, source = '' } = scalar;
    if (typeof value !== 'number') return JSON.stringify(value ?? null);
    if (!Number.isFinite(value)) fail('must not hold .inf, .nan or a number as large', scalar);
    const number = jsonNumberOf(source);
    return isJsonNumber(number) ? number : JSON.stringify(value);
  }

  return { write, written: (node) => written.get(node) ?? 'null' };
}

/** Returns a key as a text: of what is none what is written. */
export function keyTextOf(key: unknown): string {
  if (!isScalar(key)) return '';
  return typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
}

function hasForeignTag(node: unknown): boolean {
  const tag = typeof node === 'object' && node !== null && 'tag' in node ? node.tag : undefined;
  return typeof tag === 'string' && !JSON_TAGS.has(tag);
}

/** `0x1f`, `+1`, `007`, `.5` and `1.` are numbers of YAML that JSON writes otherwise. */
function jsonNumberOf(source: string): string {
  if (/^0[xo]/.test(source)) return BigInt(source).toString();
  return source
    .replace(/^\+/, '')
    .replace(/^(-?)0+(?=\d)/, '$1')
    .replace(/^(-?)\./, '$10.')
    .replace(/\.(?=[eE]|$)/, '');
}
