// The schemas of an application: what values of which keys must be.

import { DomainError } from '../errors.ts';
import type { KeyValueStore, OperationOptions, ReadOperation } from '../store.ts';
import { compileGlob } from '../watch/glob.ts';
import type { ItemName } from './config-item.ts';
import type { ConfigKeys, SchemaTarget } from './config-keys.ts';
import type { ContentType, Documents, Problem } from './document.ts';

/** One schema. */
export interface KeySchema {
  readonly target: SchemaTarget;
  /** As JSON. */
  readonly text: string;
  /** Of its last change. */
  readonly revision: bigint;
  /** Whether it holds for a key. */
  holdsFor(key: string): boolean;
}

/** What a value is checked by. */
export interface Checked {
  readonly name: ItemName;
  readonly contentType: ContentType;
  readonly value: Uint8Array;
}

/** An application has at most so many. */
export const MAX_SCHEMAS = 1_000;

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Returns the read of an application's schemas. */
export function schemasRead(keys: ConfigKeys, application: string): ReadOperation {
  return { kind: 'read', range: keys.schemasOf(application), limit: MAX_SCHEMAS };
}

/** Returns the schemas that a read has found, in the order of their keys and patterns. */
export function schemasIn(
  keys: ConfigKeys,
  kvs: readonly { readonly key: Uint8Array; readonly value: Uint8Array; readonly modRevision: bigint }[],
): readonly KeySchema[] {
  return kvs.flatMap(({ key, value, modRevision }) => {
    const target = keys.readSchema(key);
    return target === undefined ? [] : [keySchema(target, new TextDecoder().decode(value), modRevision)];
  });
}

/** Reads the schemas of an application. */
export async function readSchemas(
  store: KeyValueStore,
  keys: ConfigKeys,
  application: string,
  options: OperationOptions,
): Promise<{ readonly schemas: readonly KeySchema[]; readonly revision: bigint }> {
  const { kvs, revision } = await store.read(schemasRead(keys, application), options);
  return { schemas: schemasIn(keys, kvs), revision };
}

/** Returns a schema, ready to use. */
export function keySchema(target: SchemaTarget, text: string, revision: bigint): KeySchema {
  const holdsFor = target.kind === 'key' ? (key: string) => key === target.text : compileGlob(target.text);
  return { target, text, revision, holdsFor };
}

/** Returns what is wrong with a value, by its content type and the schemas that hold for its key; empty: nothing. */
export function problemsOf(
  documents: Documents,
  schemas: readonly KeySchema[],
  { name, contentType, value }: Checked,
): readonly Problem[] {
  const text = textOf(value);
  if (text === undefined)
    return contentType === 'text' ? [] : [{ message: 'must be UTF-8', path: '', line: 0 }];
  const parsed = documents.parse(contentType, text);
  if (parsed.kind === 'problem') return [parsed.problem];
  return schemas
    .filter((schema) => schema.holdsFor(name.key))
    .flatMap((schema) => documents.violations(schema.text, contentType, text));
}

/** Throws CONFIG_VALUE_INVALID where something is wrong with a value. */
export function requireValid(documents: Documents, schemas: readonly KeySchema[], checked: Checked): void {
  const [problem] = problemsOf(documents, schemas, checked);
  if (problem !== undefined) throw valueInvalid(checked.name, problem);
}

/** Returns the CONFIG_VALUE_INVALID error of a value with a problem. */
function valueInvalid({ application, profile, key }: ItemName, problem: Problem): DomainError {
  return new DomainError(
    'CONFIG_VALUE_INVALID',
    `The value of "${key}" of "${application}" ${placed(problem)}; nothing was written`,
    { application, profile, key, ...problemMetadata(problem) },
  );
}

/** Returns what is wrong, and where, as the end of a sentence. */
export function placed({ message, path, line }: Problem): string {
  const place = [line > 0 ? `line ${line}` : '', path].filter((part) => part !== '').join(', ');
  return place === '' ? message : `${message} (${place})`;
}

/** Returns the metadata of an error that is about a problem. */
export function problemMetadata({ message, path, line }: Problem): Readonly<Record<string, string>> {
  return { description: message, path, line: String(line) };
}

function textOf(value: Uint8Array): string | undefined {
  try {
    return decoder.decode(value);
  } catch {
    return undefined;
  }
}
