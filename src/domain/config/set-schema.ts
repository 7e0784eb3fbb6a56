// Setting the schemas of an application.

import { DomainError } from '../errors.ts';
import type { Fence } from '../fence.ts';
import { singleKey } from '../key-range.ts';
import type { KeyValueStore, OperationOptions } from '../store.ts';
import { compareTexts } from '../text-order.ts';
import { conditionalTxn } from '../writing/conditional-txn.ts';
import type { ItemName } from './config-item.ts';
import type { ConfigKeys, SchemaTarget } from './config-keys.ts';
import type { ConfigMemory } from './config-memory.ts';
import type { Documents, Problem } from './document.ts';
import { MAX_SCHEMAS, placed, problemMetadata, problemsOf, readSchemas } from './schemas.ts';
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
  readonly store: KeyValueStore;
  readonly keys: ConfigKeys;
  readonly documents: Documents;
  readonly memory: ConfigMemory;
  readonly vault: Vault;
}

const MAX_VIOLATIONS = 100;

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
  const isNew = !schemas.some((each) => each.target.kind === target.kind && each.target.text === target.text);
  if (schema !== '' && isNew && schemas.length >= MAX_SCHEMAS) throw tooMany(application);

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
  { documents, memory, vault }: SetSchemaDeps,
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
  for (const item of items) {
    const value = vault.open(item, item.value, item.isSecret);
    if (value === undefined) continue;
    const checked = { name: item, contentType: item.contentType, value };
    for (const problem of problemsOf(documents, [{ target, text, revision: 0n }], checked))
      violations.push({ name: item, problem });
    if (violations.length >= MAX_VIOLATIONS) break;
  }
  return violations.slice(0, MAX_VIOLATIONS);
}

function schemaInvalid(problem: Problem): DomainError {
  return new DomainError(
    'CONFIG_SCHEMA_INVALID',
    `The schema ${placed(problem)}; nothing was written`,
    problemMetadata(problem),
  );
}

function tooMany(application: string): DomainError {
  return new DomainError(
    'LIMIT_REACHED',
    `Application "${application}" has ${MAX_SCHEMAS} schemas, and may have no more; use patterns`,
    { limit: String(MAX_SCHEMAS) },
  );
}
