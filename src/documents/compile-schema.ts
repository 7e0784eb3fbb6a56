import { Ajv, MissingRefError, type Options, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { Flaw } from './flaw.ts';
import { pointerOf } from './json-pointer.ts';
import { findInTree, type JsonNode, lineAt, readJsonTree } from './json-tree.ts';
import { violationOf } from './schema-problems.ts';
import type { TimeLimit } from './time-limit.ts';

type Dialect = 'draft 2020-12' | 'draft-07';

/** What says whether a schema is one, by its dialect. */
export type MetaSchemas = (dialect: Dialect) => Ajv;

const MAX_LENGTH = 65_536;
/** How `$schema` says them, without the `#` at the end. */
const DIALECTS: Readonly<Record<string, Dialect>> = {
  'https://json-schema.org/draft/2020-12/schema': 'draft 2020-12',
  'http://json-schema.org/draft-07/schema': 'draft-07',
  'https://json-schema.org/draft-07/schema': 'draft-07',
};

const OPTIONS: Options = {
  // As the specification says, what is not known is ignored.
  strict: false,
  logger: false,
  // Else the code of a schema that refers to a large one often would be the square of its size.
  inlineRefs: false,
  // Else an object would have `toString`.
  ownProperties: true,
  validateSchema: false,
  // To make the code better takes longer than it saves.
  code: { optimize: false },
};

/** Creates it: each is compiled when it is first needed, and no schema of a user is ever added to it. */
export function createMetaSchemas(): MetaSchemas {
  const created = new Map<Dialect, Ajv>();
  return (dialect) => {
    const found = created.get(dialect) ?? createAjv(dialect, {});
    if (!created.has(dialect)) found.validateSchema({});
    created.set(dialect, found);
    return found;
  };
}

/** Compiles a schema; throws a flaw where it is none. */
export function compileSchema(
  text: string,
  metaSchemas: MetaSchemas,
  limit: TimeLimit,
  { lateMessage, ...options }: Pick<Options, 'allErrors'> & { readonly lateMessage: string },
): ValidateFunction {
  if (text.length > MAX_LENGTH) throw new Flaw(`must not be longer than ${MAX_LENGTH} characters`);
  const tree = readJsonTree(text);
  const { dialect, schema } = readDialect(text, tree);
  // Not under the limit: what serves all must not be left half done.
  const metaSchema = metaSchemas(dialect);
  return limit.run(() => {
    requireValid(metaSchema, schema, text, tree);
    // One of its own, so that no schema sees what another calls itself.
    return compile(createAjv(dialect, options), schema, text, tree);
  }, lateMessage);
}

function createAjv(dialect: Dialect, options: Options): Ajv {
  const ajv =
    dialect === 'draft-07' ? new Ajv({ ...OPTIONS, ...options }) : new Ajv2020({ ...OPTIONS, ...options });
  formats.default(ajv);
  return ajv;
}

/** Ajv takes the dialect by its class. */
function readDialect(text: string, tree: JsonNode): { readonly dialect: Dialect; readonly schema: unknown } {
  const schema = JSON.parse(text) as unknown;
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema))
    return { dialect: 'draft 2020-12', schema };
  const { $schema: said, ...rest } = schema as Readonly<Record<string, unknown>>;
  if (said === undefined) return { dialect: 'draft 2020-12', schema };
  const dialect = typeof said === 'string' ? DIALECTS[said.replace(/#$/, '')] : undefined;
  if (dialect === undefined) throw flawAt('must be of draft 2020-12 or draft-07', ['$schema'], text, tree);
  return { dialect, schema: rest };
}

function requireValid(metaSchema: Ajv, schema: unknown, text: string, tree: JsonNode): void {
  if (typeof schema !== 'boolean' && (typeof schema !== 'object' || schema === null || Array.isArray(schema)))
    throw flawAt('must be an object or a boolean', [], text, tree);
  const isValid = metaSchema.validateSchema(schema);
  const [error] = metaSchema.errors ?? [];
  if (isValid === true) return;
  if (error === undefined) throw flawAt('must be a JSON Schema', [], text, tree);
  const { message, path } = violationOf(error);
  throw flawAt(message, path, text, tree);
}

function compile(ajv: Ajv, schema: unknown, text: string, tree: JsonNode): ValidateFunction {
  const asynchronous = find(schema, (node) => Boolean(node['$async']) && typeof node['$async'] !== 'object');
  if (asynchronous !== undefined) throw flawAt('must not hold $async', asynchronous, text, tree);
  try {
    const validate = ajv.compile(schema as boolean | object);
    // What a schema of this kind returns is a promise, and would count as valid.
    if ('$async' in validate) throw flawAt('must not hold $async', [], text, tree);
    return validate;
  } catch (error) {
    if (error instanceof Flaw) throw error;
    throw reasonOf(error, schema, text, tree);
  }
}

/** What Ajv says quotes the schema, and does not say where. */
function reasonOf(error: unknown, schema: unknown, text: string, tree: JsonNode): Flaw {
  if (error instanceof MissingRefError) {
    const { missingRef } = error;
    const place = find(schema, ({ $ref: ref }) => typeof ref === 'string' && missingRef.endsWith(ref));
    return flawAt('must refer to nothing that is not in it ($ref)', place ?? [], text, tree);
  }
  // The stack ended.
  if (error instanceof RangeError) return flawAt('must be smaller to be compiled', [], text, tree);
  const place = find(schema, ({ pattern, patternProperties }) =>
    [pattern, ...Object.keys(patternProperties ?? {})].some((it) => typeof it === 'string' && !isPattern(it)),
  );
  if (place !== undefined)
    return flawAt('must have a pattern that is a regular expression', place, text, tree);
  return flawAt('must be a schema that can be compiled', [], text, tree);
}

function isPattern(text: string): boolean {
  try {
    new RegExp(text, 'u');
    return true;
  } catch {
    return false;
  }
}

/** Returns where the first object is that a question is true of. */
function find(
  value: unknown,
  isIt: (node: Readonly<Record<string, unknown>>) => boolean,
): readonly string[] | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (!Array.isArray(value) && isIt(value as Readonly<Record<string, unknown>>)) return [];
  for (const [name, part] of Object.entries(value)) {
    const found = find(part, isIt);
    if (found !== undefined) return [name, ...found];
  }
  return undefined;
}

function flawAt(message: string, path: readonly string[], text: string, tree: JsonNode): Flaw {
  return new Flaw(message, { path: pointerOf(path), line: lineAt(text, findInTree(tree, path).start) });
}
