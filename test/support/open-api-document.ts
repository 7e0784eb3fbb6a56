import { readFileSync } from 'node:fs';

/** The OpenAPI document, as far as tests look at it. */
export interface OpenApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, OpenApiOperation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, OpenApiSchema>>;
    readonly responses: Readonly<Record<string, unknown>>;
  };
  readonly tags: readonly { readonly name: string }[];
}

/** A schema, as far as tests look at it. */
export interface OpenApiSchema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly required?: readonly string[];
  readonly enum?: readonly string[];
}

interface Exemplified {
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}

/** An operation, as far as tests look at it. */
export interface OpenApiOperation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly parameters?: readonly (Exemplified & {
    readonly name: string;
    readonly in: 'path' | 'query' | 'header';
    readonly required?: boolean;
    readonly schema: Readonly<Record<string, unknown>>;
  })[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Exemplified>> };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, Exemplified>> }>>;
  readonly 'x-concord-rpc': string;
  readonly 'x-concord-takes'?: Readonly<Record<string, string>>;
}

/** An example of an operation as a request. */
export interface ExampleRequest {
  readonly operation: OpenApiOperation;
  /** Such as `/v1/kv/{key}`. */
  readonly path: string;
  /** In upper case. */
  readonly httpMethod: string;
  /** Of several examples of one operation its name; else empty. */
  readonly name: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly body: unknown;
}

/** Reads the document that stands in gen/. */
export function readOpenApiDocument(): OpenApiDocument {
  return JSON.parse(readFileSync('gen/openapi.json', 'utf8')) as OpenApiDocument;
}

/** Returns the requests that a document shows, in its order. */
export function exampleRequests({ paths }: OpenApiDocument): readonly ExampleRequest[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).flatMap(([method, operation]) => {
      const { parameters = [], requestBody } = operation;
      const body = requestBody?.content['application/json'];
      const named = new Set(
        [...parameters, body ?? {}].flatMap(({ examples = {} }) => Object.keys(examples)),
      );
      return (named.size === 0 ? [''] : [...named]).map((name) => ({
        operation,
        path,
        httpMethod: method.toUpperCase(),
        name,
        parameters: Object.fromEntries(
          parameters.flatMap((each) => {
            const value = exampleIn(each, name);
            return value === undefined ? [] : [[each.name, value]];
          }),
        ),
        body: body && exampleIn(body, name),
      }));
    }),
  );
}

function exampleIn({ example, examples }: Exemplified, name: string): unknown {
  return name === '' ? example : examples?.[name]?.value;
}
