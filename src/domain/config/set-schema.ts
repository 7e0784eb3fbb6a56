// Setting the schemas of an application.

import type { Clock } from '../clock.ts';
import { DomainError } from '../errors.ts';
import type { Fence } from '../fence.ts';
import { singleKey } from '../key-range.ts';
import type { KeyValueStore, OperationOptions } from '../store.ts';
import { compareTexts } from '../text-order.ts';
import { conditionalTxn } from '../writing/conditional-txn.ts';
import type { ConfigItem, ItemName } from './config-item.ts';
import type { ConfigKeys, SchemaTarget } from './config-keys.ts';
import type { ConfigMemory } from './config-memory.ts';
import type { Documents, Problem } from './document.ts';
import { inParts } from './in-parts.ts';
import { keySchema, MAX_SCHEMAS, placed, problemMetadata, problemsOf, readSchemas } from './schemas.ts';
import type { Vault } from './vault.ts';

/** A schema to set. */
export interface SetSchemaRequest {
  readonly application: string;
  readonly target: SchemaTarget;
  /** As JSON; empty: there is to be none. */
  readonly schema: string;
  readonly expectedRevision: bigint | undefined;
  readonly fence: Fence | undefined;
}

/** Where an item that is there breaks a schema. */
export interface SchemaViolation {
  readonly name: ItemName;
  readonly problem: Problem;
}

/** What it needs. */
export interface SetSchemaDeps {
  readonly clock: Clock;
  readonly store: KeyValueStore;
  readonly keys: ConfigKeys;
  readonly documents: Documents;
  readonly memory: ConfigMemory;
  readonly vault: Vault;
}

const MAX_VIOLATIONS = 100;
/** Of the schemas of an application, in characters. */
const MAX_LENGTH = 1_048_576;

/**
 * Sets a schema, and returns where items that are there break it.
 *
 * Rejects with CONFIG_SCHEMA_INVALID, LIMIT_REACHED, REVISION_MISMATCH or FENCE_LOST.
 */
export async function setSchema(
  deps: SetSchemaDeps,
  { application, target, schema, expectedRevision, fence }: SetSchemaRequest,
  options: OperationOptions,
): Promise<{ readonly revision: bigint; readonly violations: readonly SchemaViolation[] }> {
  const { store, keys, documents } = deps;
  const problem = schema === '' ? undefined : documents.schemaProblem(schema);
  if (problem !== undefined) throw schemaInvalid(problem);
  const { schemas } = await readSchemas(store, keys, application, options);
  const others = schemas.filter(
    (each) => each.target.kind !== target.kind || each.target.text !== target.text,
  );
  if (schema !== '') requireRoom(application, [schema, ...others.map(({ text }) => text)]);

  const key = keys.schema(application, target);
  const range = singleKey(key);
  const operation =
    schema === ''
      ? ({ kind: 'delete', range } as const)
      : ({ kind: 'put', key, value: new TextEncoder().encode(schema) } as const);
  const expectations = expectedRevision === undefined ? [] : [{ range, expectedRevision }];
  const { revision } = await conditionalTxn(store, [operation], { fence, expectations }, options);
  const violations = schema === '' ? [] : await violationsNow(deps, application, target, schema, options);
  return { revision, violations };
}

async function violationsNow(
  { clock, documents, memory, vault }: SetSchemaDeps,
  application: string,
  target: SchemaTarget,
  text: string,
  options: OperationOptions,
): Promise<readonly SchemaViolation[]> {
  const { value: items } = await memory.exactly(
    application,
    () =>
      memory
        .profiles(application)
        .flatMap((profile) => [...memory.items(application, profile).values()])
        .sort((a, b) => compareTexts(a.key, b.key)),
    options,
  );
  const violations: SchemaViolation[] = [];
  const schemas = [keySchema(target, text, 0n)];
  const check = (item: ConfigItem): boolean => {
    const value = vault.open(item, item.value, item.isSecret);
    const checked = value && { name: item, contentType: item.contentType, value };
    for (const problem of checked === undefined ? [] : problemsOf(documents, schemas, checked))
      violations.push({ name: item, problem });
    return violations.length < MAX_VIOLATIONS;
  };
  await inParts(items, check, clock, options);
  return violations.slice(0, MAX_VIOLATIONS);
}

function schemaInvalid(problem: Problem): DomainError {
  return new DomainError(
    'CONFIG_SCHEMA_INVALID',
    `The schema ${placed(problem)}; nothing was written`,
    problemMetadata(problem),
  );
}

/** All of them are read with every write. */
function requireRoom(application: string, texts: readonly string[]): void {
  const length = texts.reduce((sum, text) => sum + text.length, 0);
  if (texts.length > MAX_SCHEMAS) throw tooMuch(application, `${MAX_SCHEMAS} schemas`, MAX_SCHEMAS);
  if (length > MAX_LENGTH) throw tooMuch(application, `${MAX_LENGTH} characters of schemas`, MAX_LENGTH);
}

function tooMuch(application: string, what: string, limit: number): DomainError {
  return new DomainError(
    'LIMIT_REACHED',
    `Application "${application}" may have no more than ${what}; use patterns`,
    { limit: String(limit) },
  );
}
