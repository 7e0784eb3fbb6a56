// What holds for every call, as functions over its context; here they are tied to the Connect handlers as one interceptor.
// A handler is left with a parse, a call to the domain, and a mapping.

import type { DescMessage, Message } from '@bufbuild/protobuf';
import type { Interceptor } from '@connectrpc/connect';
import { callContextKey } from './call-context.ts';
import { toConnectError } from './errors.ts';
import type { Validate } from './validation.ts';

/** Creates the interceptor: what comes in is valid, and what is thrown leaves with a reason. */
export function createChecks(validate: Validate): Interceptor {
  return (next) => async (request) => {
    const requestId = request.contextValues.get(callContextKey)?.requestId ?? '';
    try {
      if (request.stream) {
        const response = await next({
          ...request,
          message: validated(request.message, request.method.input, validate),
        });
        return response.stream ? { ...response, message: reasoned(response.message, requestId) } : response;
      }
      validate(request.method.input, request.message);
      return await next(request);
    } catch (error) {
      throw toConnectError(error, requestId);
    }
  };
}

async function* validated(
  messages: AsyncIterable<Message>,
  schema: DescMessage,
  validate: Validate,
): AsyncIterable<Message> {
  for await (const message of messages) {
    validate(schema, message);
    yield message;
  }
}

async function* reasoned(messages: AsyncIterable<Message>, requestId: string): AsyncIterable<Message> {
  try {
    yield* messages;
  } catch (error) {
    throw toConnectError(error, requestId);
  }
}
