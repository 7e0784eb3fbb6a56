// The operations of the rpcs: one for each way that an rpc is reached by plain HTTP.

import type { DescMethod, DescService } from '@bufbuild/protobuf';
import { type HttpBinding, readHttpBindings } from '../../src/http/transcoding/http-bindings.ts';
import { type Examples, shown } from './examples.ts';
import { choicesOf, type MessageSchemas } from './message-schemas.ts';
import type { Content, Operation, Parameter, PlacedOperation } from './open-api.ts';
import type { Contracts } from './read-contracts.ts';
import { RPC_EXAMPLES } from './rpc-examples.ts';
import { openApiPath, parametersOf } from './rpc-parameters.ts';

const JSON_TYPE = 'application/json';
const LINES = [
  'Answers with one message a line, in JSON, for as long as the stream is open; the first comes at once. A stream that fails ends with the line `{"error":…}`.',
  'With `Accept: text/event-stream` each message is an event, its id the resume token where the message has one; a stream that fails ends with the event `failure`.',
].join('\n\n');

/** Returns the operations of services, in their order. */
export function rpcOperations(
  contracts: Contracts,
  services: readonly DescService[],
  schemas: MessageSchemas,
): readonly PlacedOperation[] {
  const counts = new Map<DescMethod, number>();
  return readHttpBindings(services).map((binding) => {
    const { method } = binding;
    const count = (counts.get(method) ?? 0) + 1;
    counts.set(method, count);
    const operationId = `${method.parent.name}_${method.name}${count === 1 ? '' : count}`;
    return {
      path: openApiPath(binding),
      httpMethod: binding.httpMethod,
      operation: operationOf(binding, operationId, contracts, schemas),
    };
  });
}

function operationOf(
  binding: HttpBinding,
  operationId: string,
  { commentOf }: Contracts,
  schemas: MessageSchemas,
): Operation {
  const { method, body } = binding;
  const examples = RPC_EXAMPLES[operationId];
  if (examples === undefined) throw new Error(`${operationId} has no example in rpc-examples.ts`);
  const comment = commentOf(method);
  const inPath = new Set(binding.template.fields);
  const isStream = method.methodKind === 'server_streaming';
  const parameters = parametersOf(binding, { commentOf, refOf: schemas.refOf });
  return {
    operationId,
    tags: [method.parent.name],
    summary: firstSentence(comment),
    description: [
      comment,
      ...(body === '' ? choicesOf(method.input, inPath) : []),
      ...(isStream ? [LINES] : []),
    ].join('\n\n'),
    // Only who asks to see secrets needs a token.
    ...(method.input.field['revealSecrets'] !== undefined && { security: [{}, { bearer: [] }] }),
    ...(parameters.length > 0 && { parameters: parameters.map((each) => withExamples(each, examples)) }),
    ...(body !== '' && { requestBody: bodyOf(binding, examples, commentOf(method.input), schemas) }),
    responses: {
      200: isStream
        ? streamOf(method, commentOf(method.output), schemas)
        : answerOf(method, commentOf(method.output), schemas),
      default: { $ref: '#/components/responses/Error' },
    },
    'x-concord-rpc': `/${method.parent.typeName}/${method.name}`,
    ...(examples.takes !== undefined && { 'x-concord-takes': examples.takes }),
  };
}

function bodyOf(
  { method, body, template }: HttpBinding,
  examples: Examples,
  description: string,
  { bodyRef }: MessageSchemas,
): Content {
  if (body !== '*') throw new Error(`${method.name}: a body that is one field is not documented yet`);
  const inPath = new Set(template.fields.filter((name) => !name.includes('.')));
  const media = { schema: bodyRef(method.input, inPath) };
  return {
    description,
    required: true,
    content: { [JSON_TYPE]: { ...media, ...shown(examples, ({ body }) => body) } },
  };
}

function answerOf({ output }: DescMethod, description: string, { refOf }: MessageSchemas): Content {
  return { description, content: { [JSON_TYPE]: { schema: refOf(output) } } };
}

function streamOf({ output }: DescMethod, description: string, { refOf }: MessageSchemas): Content {
  const failure = {
    description: 'Why the stream ended before its time.',
    type: 'object',
    properties: { error: { $ref: '#/components/schemas/Error' } },
    required: ['error'],
  };
  return {
    description,
    content: {
      'application/x-ndjson': {
        schema: { description: 'One line.', anyOf: [refOf(output), failure] },
      },
      'text/event-stream': {
        schema: { description: 'Events, the data of each one message in JSON.', type: 'string' },
      },
    },
  };
}

function withExamples(parameter: Parameter, examples: Examples): Parameter {
  return { ...parameter, ...shown(examples, ({ parameters }) => parameters?.[parameter.name]) };
}

function firstSentence(comment: string): string {
  return /^.*?[.](?=\s|$)/s.exec(comment)?.[0] ?? comment;
}
