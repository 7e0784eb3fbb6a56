import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DescService } from '@bufbuild/protobuf';
import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import { ErrorReasonSchema } from '../../../gen/concord/error/v1/error_reason_pb.ts';
import { CLASSIC_ROUTES } from '../../../src/http/classic/classic-table.ts';
import { readHttpBindings } from '../../../src/http/transcoding/http-bindings.ts';
import { compileTemplate } from '../../../src/http/transcoding/path-template.ts';
import { readOpenApiDocument } from '../../support/open-api-document.ts';

const document = readOpenApiDocument();
const { schemas } = document.components;
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({
    path,
    httpMethod: method.toUpperCase(),
    ...operation,
  })),
);
const services = await readServices();

describe('the OpenAPI document', () => {
  it('is valid by the schema of OpenAPI 3.1', async () => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate(
      structuredClone(document) as unknown as Record<string, unknown>,
    );
    expect({ valid, errors, version: validator.version }).toEqual({
      valid: true,
      errors: undefined,
      version: '3.1',
    });
  });

  it('has one operation for each annotation of an rpc and each classic route, and no other', () => {
    const rpcs = readHttpBindings(services).map(({ method, httpMethod, template }) => ({
      httpMethod,
      template,
      rpcPath: `/${method.parent.typeName}/${method.name}`,
    }));
    const classic = CLASSIC_ROUTES.map((route) => ({ ...route, template: compileTemplate(route.path) }));
    const wanted = [...rpcs, ...classic];
    expect(services.length).toBeGreaterThan(5);
    expect(operations.length).toBe(wanted.length);
    for (const { httpMethod, template, rpcPath } of wanted) {
      const found = operations.filter(
        (each) =>
          each['x-concord-rpc'] === rpcPath &&
          each.httpMethod === httpMethod &&
          template.match(each.path.replaceAll(/[{}]/g, '')) !== undefined,
      );
      expect(found, `${httpMethod} for ${rpcPath}`).not.toEqual([]);
    }
  });

  it('gives each operation an id of its own and a tag that there is', () => {
    const ids = operations.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toContain('KvService_Get');
    const tags = new Set(document.tags.map(({ name }) => name));
    expect(operations.filter((each) => each.tags.length !== 1 || !tags.has(each.tags[0] ?? ''))).toEqual([]);
  });

  it('names the parameters of each path, and those alone', () => {
    for (const { path, operationId, parameters = [] } of operations) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const inPath = parameters.filter((each) => each.in === 'path');
      expect(
        inPath.map(({ name }) => name),
        operationId,
      ).toEqual(named);
      expect(inPath.every(({ required }) => required)).toBe(true);
    }
  });

  it('refers only to what it has, and has only what is referred to', () => {
    const refs = new Set(everyValue(document, '$ref').map(String));
    const targets = Object.entries(document.components).flatMap(([kind, held]) =>
      Object.keys(held as object).map((name) => `#/components/${kind}/${name}`),
    );
    const unused = targets.filter((target) => !refs.has(target) && !target.includes('/securitySchemes/'));
    expect([...refs].filter((ref) => !targets.includes(ref))).toEqual([]);
    expect(unused).toEqual([]);
  });

  it('describes whatever it names', () => {
    const descriptions = everyValue(document, 'description').filter((each) => typeof each !== 'object');
    expect(descriptions.filter((each) => String(each).trim() === '')).toEqual([]);
    const silent = [
      ...Object.entries(schemas).flatMap(([name, { properties = {}, ...schema }]) => [
        ...('description' in schema ? [] : [name]),
        ...Object.entries(properties)
          .filter(([, property]) => !('description' in (property as object)))
          .map(([property]) => `${name}.${property}`),
      ]),
      ...operations.flatMap(({ operationId, parameters = [], ...operation }) => [
        ...('summary' in operation && 'description' in operation ? [] : [operationId]),
        ...parameters.filter((each) => !('description' in each)).map(({ name }) => `${operationId} ${name}`),
      ]),
    ];
    expect(silent).toEqual([]);
  });

  it('holds the rules of the contract', () => {
    expect(parameter('KvService_List', 'prefix')).toMatchObject({ schema: { maxLength: 4096 } });
    expect(parameter('KvService_List', 'pageSize')).toMatchObject({
      schema: { type: 'integer', minimum: 0, maximum: 1000, default: 100 },
    });
    expect(parameter('KvService_BatchGet', 'keys')).toMatchObject({
      schema: { type: 'array', maxItems: 128, items: { minLength: 1 } },
    });
    expect(parameter('ConfigService_Export', 'format')).toMatchObject({ required: true });
    expect(parameter('LockService_Verify', 'fencingToken')).toMatchObject({ required: true });
    expect(parameter('KvService_Watch', 'checkpointInterval')).toMatchObject({
      schema: { type: 'string', default: '15s' },
    });
    expect(parameter('DiscoveryService_Discover', 'filter.tags')).toMatchObject({
      schema: { type: 'array' },
    });
    expect(schemas['concord.lock.v1.ReleaseRequest']).toMatchObject({ required: ['fencingToken'] });
    expect(schemas['concord.discovery.v1.Instance']).toMatchObject({ required: ['host', 'port'] });
    expect(schemas['concord.kv.v1.Fence']).toMatchObject({
      description: expect.stringContaining('Exactly one of `lock`, `election`.'),
    });
    expect(schemas['concord.discovery.v1.Instance']?.properties?.['service']).toMatchObject({
      pattern: expect.stringContaining('[^/'),
    });
  });

  it('writes types as the JSON of Protobuf does', () => {
    expect(schemas['concord.kv.v1.KeyValue']?.properties).toMatchObject({
      modRevision: { type: 'string', format: 'int64' },
      valueBytes: { type: 'string', contentEncoding: 'base64' },
    });
    expect(schemas['concord.discovery.v1.Instance']?.properties).toMatchObject({
      metadata: { type: 'object', additionalProperties: { type: 'string' }, maxProperties: 64 },
      registerTime: { type: 'string', format: 'date-time' },
      tags: { type: 'array', items: { type: 'string' } },
    });
    expect(schemas['concord.kv.v1.View']).toMatchObject({
      enum: expect.arrayContaining(['VIEW_FULL']),
      description: expect.stringContaining('`VIEW_FULL`: Keys with their values.'),
    });
  });

  it('lists the reasons of errors', () => {
    expect(schemas['ErrorReason']?.enum).toEqual(
      ErrorReasonSchema.values.slice(1).map(({ localName }) => localName),
    );
  });

  function parameter(operationId: string, name: string) {
    return operations
      .find((each) => each.operationId === operationId)
      ?.parameters?.find((each) => each.name === name);
  }
});

/** All services of gen/. */
async function readServices(): Promise<readonly DescService[]> {
  const files = readdirSync('gen', { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('_pb.ts'),
  );
  const modules = await Promise.all(
    files.map((name) => import(join(process.cwd(), 'gen', name)) as Promise<object>),
  );
  return modules.flatMap((module) =>
    Object.values(module).filter(
      (value): value is DescService =>
        typeof value === 'object' && value !== null && value.kind === 'service',
    ),
  );
}

/** What stands under a name, at whatever depth. */
function everyValue(held: unknown, name: string): readonly unknown[] {
  if (typeof held !== 'object' || held === null) return [];
  return Object.entries(held).flatMap(([key, value]) => [
    ...(key === name ? [value] : []),
    ...everyValue(value, name),
  ]);
}
