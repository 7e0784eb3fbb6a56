// What is answered where a call fails: Connect's JSON, and the flat one of the classic routes.

import type { DescEnum } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { codeToString } from '@connectrpc/connect/protocol-connect';
import type { CommentOf } from './comments.ts';
import type { RefOf } from './field-schema.ts';
import type { Content, Schema } from './open-api.ts';
import type { Contracts } from './read-contracts.ts';

const REASON_ENUM = 'concord.error.v1.ErrorReason';
/** The HTTP statuses follow from the codes; docs/errors.md has the table. */
const CODES = Object.values(Code).filter((code) => typeof code === 'number');

/** The answers to calls that fail, by their names in `components.responses`. */
export const ERROR_RESPONSES: Readonly<Record<string, Content>> = {
  Error: {
    description: 'Why the call failed. The status follows from the code.',
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
  },
  ClassicError: {
    description: 'Why the call failed. The status follows from the code.',
    content: { 'application/json': { schema: { $ref: '#/components/schemas/ClassicError' } } },
  },
};

/** Returns the schemas that {@link ERROR_RESPONSES} refer to. */
export function errorSchemas(
  { registry, message, commentOf }: Contracts,
  refOf: RefOf,
): Readonly<Record<string, Schema>> {
  const reasons = registry.getEnum(REASON_ENUM);
  if (reasons === undefined) throw new Error(`proto/ has no enum ${REASON_ENUM}`);
  const code = { description: 'What kind of failure it is.', type: 'string', enum: CODES.map(codeToString) };
  const text = { description: 'What happened, and what to do. For people; it may change.', type: 'string' };
  const reason = { $ref: '#/components/schemas/ErrorReason' };
  return {
    ClassicError: {
      description: 'Why a call of a classic route failed.',
      type: 'object',
      properties: {
        success: { description: 'Always false.', const: false },
        code,
        reason: { description: 'The cause, for programs.', ...reason },
        message: text,
      },
      required: ['success', 'code', 'message'],
    },
    Error: {
      description: 'Why a call failed.',
      type: 'object',
      properties: {
        code,
        message: text,
        details: {
          description: 'Exactly one `google.rpc.ErrorInfo`, and what else is known.',
          type: 'array',
          items: { $ref: '#/components/schemas/ErrorDetail' },
        },
      },
      required: ['code', 'message'],
    },
    ErrorDetail: {
      description: 'What is known of a failure, for programs: a message of Protobuf, decoded in `debug`.',
      type: 'object',
      properties: {
        type: {
          description: 'The name of the message.',
          enum: ['google.rpc.ErrorInfo', 'google.rpc.RetryInfo', 'buf.validate.Violations'],
        },
        value: { description: 'The message itself, in base64.', type: 'string', contentEncoding: 'base64' },
        debug: {
          description: 'The message in JSON.',
          anyOf: [
            {
              description: commentOf(message('google.rpc.ErrorInfo')),
              type: 'object',
              properties: {
                reason,
                domain: { description: 'Always `concord`.', const: 'concord' },
                metadata: {
                  description: 'What the message of the error names.',
                  type: 'object',
                  additionalProperties: { type: 'string' },
                },
              },
              required: ['reason', 'domain'],
            },
            refOf(message('google.rpc.RetryInfo')),
            refOf(message('buf.validate.Violations')),
          ],
        },
      },
      required: ['type', 'value'],
    },
    ErrorReason: reasonSchema(reasons, commentOf),
  };
}

/** The reasons as they are sent: without the prefix of the enum. */
function reasonSchema(reasons: DescEnum, commentOf: CommentOf): Schema {
  const sent = reasons.values.slice(1);
  const meanings = sent.map((value) => `- \`${value.localName}\`: ${commentOf(value)}`);
  return {
    description: `${commentOf(reasons)}\n\n${meanings.join('\n')}`,
    type: 'string',
    enum: sent.map(({ localName }) => localName),
  };
}
