import { create, fromBinary, fromJsonString, type Message } from '@bufbuild/protobuf';
import type { Validate } from '../../rpc/checks/validation.ts';
import { noteFailure } from '../call-interceptor.ts';
import type { RpcCall } from '../rpc-call.ts';
import { type Answer, type AnswerLimits, failureAnswer, successAnswer } from './answer.ts';
import { openEnvelope } from './envelope.ts';
import { answerByLibrary } from './library-answer.ts';
import { UnaryContext } from './unary-context.ts';
import type { UnaryHead } from './unary-head.ts';

/** Answers one unary call whose body has come. It never rejects. */
export type AnswerUnary = (head: UnaryHead, call: RpcCall, body: Buffer) => Promise<Answer>;

/**
 * Returns what answers unary calls past the library: decode, check, serve, encode.
 *
 * What it cannot decode it leaves to the library, with the bytes that were read, so that such a call fails in one way only.
 */
export function createUnaryCalls(validate: Validate, limits: AnswerLimits): AnswerUnary {
  return async (head, call, body) => {
    const { rpc, wire } = head;
    try {
      const request = head.isOdd ? undefined : decode(head, body);
      if (request === undefined) return await answerByLibrary(head, call, body);
      validate(rpc.method.input, request);
      const answer = await rpc.serve(request, new UnaryContext(head, call));
      call.isAnswered = true;
      const message = create(rpc.method.output, answer);
      return await successAnswer(wire, rpc.method.output, message, head.acceptsGzip, limits);
    } catch (error) {
      noteFailure(call, error);
      return failureAnswer(wire, call.fail(error));
    }
  };
}

/** Undefined: it is not exactly one message of the rpc. */
function decode({ rpc, wire }: UnaryHead, body: Buffer): Message | undefined {
  const data = wire.isEnveloped ? openEnvelope(body) : body;
  if (data === undefined) return undefined;
  const { input } = rpc.method;
  try {
    return wire.codec === 'proto' ? fromBinary(input, data) : fromJsonString(input, data.toString());
  } catch {
    return undefined;
  }
}
