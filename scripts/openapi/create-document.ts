// The OpenAPI document of all that is served by plain HTTP: made of the contracts with their comments, and the classic routes.

import { readHttpBindings } from '../../src/http/transcoding/http-bindings.ts';
import { CLASSIC_TAG, classicOperations } from './classic-operations.ts';
import { ERROR_RESPONSES, errorSchemas } from './error-schemas.ts';
import { createMessageSchemas } from './message-schemas.ts';
import type { Operation, PlacedOperation, Tag } from './open-api.ts';
import type { Contracts } from './read-contracts.ts';
import { rpcOperations } from './rpc-operations.ts';
import { fieldAt } from './rpc-parameters.ts';

/** What is known of the package. */
export interface PackageFacts {
  readonly version: string;
  readonly description: string;
  readonly license: string;
}

/** Within a path, what makes something comes before what reads it, and what deletes it last. */
const HTTP_METHODS = ['PUT', 'POST', 'GET', 'DELETE'];

const CONVENTIONS = `Every rpc of the contracts, by plain HTTP and JSON; on the same port it is served as gRPC, gRPC-Web and Connect too.

- Names are in lowerCamelCase; the names of the contracts, which the descriptions use, such as \`page_size\`, are taken as well.
- Integers of 64 bits are texts, and taken as numbers too. Bytes are base64. Durations are texts such as \`"30s"\`; in a URL the unit may be left out.
- Fields that hold their default (\`0\`, \`false\`, empty) are left out of answers.
- A field of a message is written in a URL as \`filter.version=2\`, a repeated one once for each item, an enum's value with or without its prefix, in any case. What has a body takes its other fields from the query as well.
- A field or a value that the contract does not have is refused.

The examples work on a new gateway when they are sent in the order of this document with all streams left open. Where \`x-concord-takes\` names an earlier operation, the value comes from its answer. \`RotateSecrets\` needs the gateway's setting CONCORD_SECRET_KEYS.`;

/** Creates it. */
export function createDocument(contracts: Contracts, facts: PackageFacts): Readonly<Record<string, unknown>> {
  const { services, commentOf } = contracts;
  const bindings = readHttpBindings(services);
  const schemas = createMessageSchemas(
    commentOf,
    new Set(
      bindings.flatMap(({ method, template }) =>
        template.fields.map((name) => {
          const field = fieldAt(method.input, name);
          return `${field.parent.typeName}.${field.name}`;
        }),
      ),
    ),
  );
  const operations = [...rpcOperations(contracts, services, schemas), ...classicOperations()];
  const tags: readonly Tag[] = [
    ...services.map((service) => ({ name: service.name, description: commentOf(service) })),
    CLASSIC_TAG,
  ];
  const errors = errorSchemas(contracts, schemas.refOf);
  return {
    openapi: '3.1.1',
    info: {
      title: 'Concord',
      version: facts.version,
      summary: facts.description,
      description: CONVENTIONS,
      license: { name: facts.license, identifier: facts.license },
    },
    servers: [{ url: '/', description: 'The gateway that serves this document.' }],
    tags,
    paths: pathsOf(operations),
    components: {
      schemas: { ...errors, ...schemas.all() },
      responses: ERROR_RESPONSES,
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: "One of the gateway's CONCORD_SECRET_TOKENS. Only who asks to see secrets needs one.",
        },
      },
    },
  };
}

function pathsOf(
  placed: readonly PlacedOperation[],
): Readonly<Record<string, Readonly<Record<string, Operation>>>> {
  const paths = new Map<string, PlacedOperation[]>();
  for (const each of placed) paths.set(each.path, [...(paths.get(each.path) ?? []), each]);
  return Object.fromEntries(
    [...paths].map(([path, operations]) => [
      path,
      Object.fromEntries(
        operations
          .toSorted((a, b) => HTTP_METHODS.indexOf(a.httpMethod) - HTTP_METHODS.indexOf(b.httpMethod))
          .map(({ httpMethod, operation }) => [httpMethod.toLowerCase(), operation]),
      ),
    ]),
  );
}
