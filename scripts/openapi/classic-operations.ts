// The operations of the classic routes.

import {
  CLASSIC_DOCUMENTATION,
  type ClassicDocumentation,
  type ClassicParameter,
} from '../../src/http/classic/classic-documentation.ts';
import type { ClassicRoute } from '../../src/http/classic/classic-route.ts';
import { CLASSIC_ROUTES } from '../../src/http/classic/classic-table.ts';
import { compileTemplate } from '../../src/http/transcoding/path-template.ts';
import { type Examples, shown } from './examples.ts';
import type { Operation, Parameter, PlacedOperation, Schema, Tag } from './open-api.ts';

/** What they stand under. */
export const CLASSIC_TAG: Tag = {
  name: 'Classic',
  description:
    'The rpcs for those who think in paths and query parameters. Every answer is a flat JSON object with `success`.',
};

const PATH_PARAMETERS: Readonly<Record<string, string>> = {
  application: 'The application.',
  key: 'The key. It may hold slashes, written as they are or as `%2F`.',
  lease_id: 'The lease.',
  prefix: 'What the keys begin with. It may hold slashes, written as they are or as `%2F`.',
  service: 'The service.',
};

/** Returns them in the order of their table. Throws an Error for a route that is not documented. */
export function classicOperations(): readonly PlacedOperation[] {
  return CLASSIC_ROUTES.map((route) => {
    const said = CLASSIC_DOCUMENTATION[`${route.httpMethod} ${route.path}`];
    if (said === undefined) throw new Error(`${route.httpMethod} ${route.path} is not documented`);
    return {
      path: route.path.replace(/\{(\w+)(?:=\*\*)?\}/g, (_, name: string) => `{${inJson(name)}}`),
      httpMethod: route.httpMethod,
      operation: operationOf(route, said),
    };
  });
}

function operationOf({ path, rpcPath }: ClassicRoute, said: ClassicDocumentation): Operation {
  const examples: Examples = {
    requests: Object.fromEntries(
      Object.entries(said.examples).map(([name, { params = {}, query = {}, body }]) => [
        name,
        { parameters: { ...byJsonName(params), ...query }, body },
      ]),
    ),
  };
  const parameters: readonly Parameter[] = [
    ...compileTemplate(path).fields.map((name) => pathParameter(name, examples)),
    ...Object.entries(said.query ?? {}).map(([name, each]) => queryParameter(name, each, examples)),
  ];
  return {
    operationId: `Classic_${said.name}`,
    tags: [CLASSIC_TAG.name],
    summary: said.summary,
    description: [said.summary, said.description ?? '', `Calls \`${rpcPath.slice(1)}\`.`]
      .filter(Boolean)
      .join('\n\n'),
    ...(parameters.length > 0 && { parameters }),
    ...(said.body !== undefined && {
      requestBody: {
        description: said.body,
        required: true,
        content: {
          'application/json': { schema: { type: 'object' }, ...shown(examples, ({ body }) => body) },
        },
      },
    }),
    responses: {
      200: {
        description: 'What the rpc answers, flat.',
        content: {
          'application/json': { schema: answerSchema(said), example: { success: true, ...said.answer } },
        },
      },
      default: { $ref: '#/components/responses/ClassicError' },
    },
    'x-concord-rpc': rpcPath,
    ...(said.takes !== undefined && { 'x-concord-takes': said.takes }),
  };
}

function pathParameter(name: string, examples: Examples): Parameter {
  const description = PATH_PARAMETERS[name];
  if (description === undefined) throw new Error(`the parameter ${name} is not documented`);
  const inPath = inJson(name);
  return {
    name: inPath,
    in: 'path',
    description,
    required: true,
    schema: { type: 'string' },
    ...shown(examples, ({ parameters }) => parameters?.[inPath]),
  };
}

function queryParameter(
  name: string,
  { description, isRequired, type = 'string' }: ClassicParameter,
  examples: Examples,
): Parameter {
  return {
    name,
    in: 'query',
    description,
    ...(isRequired && { required: true }),
    schema: { type },
    ...shown(examples, ({ parameters }) => parameters?.[name]),
  };
}

/** The example shows what is always there. */
function answerSchema({ answer, sometimes = {} }: ClassicDocumentation): Schema {
  return {
    type: 'object',
    properties: {
      success: { description: 'Always true.', const: true },
      ...Object.fromEntries(Object.entries(answer).map(([name, value]) => [name, schemaOf(value)])),
      ...Object.fromEntries(Object.entries(sometimes).map(([name, description]) => [name, { description }])),
    },
    required: ['success', ...Object.keys(answer).filter((name) => !(name in sometimes))],
  };
}

function schemaOf(value: unknown): Schema {
  if (Array.isArray(value)) return { type: 'array' };
  // An integer that a JSON number cannot hold is a text.
  if (typeof value === 'number') return { type: ['integer', 'string'] };
  return { type: typeof value };
}

function byJsonName(params: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(params).map(([name, value]) => [inJson(name), value]));
}

function inJson(name: string): string {
  return name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}
