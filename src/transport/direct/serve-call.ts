import { create, type DescMessage, type Message, type MessageInitShape } from '@bufbuild/protobuf';
import type { Validate } from '../../rpc/checks/validation.ts';
import { Batched, type Batches } from '../../rpc/fields/batched.ts';
import { noteFailure } from '../call-interceptor.ts';
import type { RpcCall } from '../rpc-call.ts';
import { sendFailure, sendMessage } from './answers.ts';
import { compress, createEncoder, createSharedEncoder, decodeBody } from './codec.ts';
import { CallHandlerContext } from './context.ts';
import type { CallHead } from './head.ts';
import { answerByLibrary } from './library.ts';
import type { Outlet } from './outlet.ts';
import type { StreamRpc } from './rpcs.ts';
import { StreamAnswer } from './stream-answer.ts';
import type { Wire } from './wire.ts';

/** Serves one call whose body has come, until its answer has been given to the outlet, or is a stream that is still to be sent. */
export type ServeCall = (
  head: CallHead,
  call: RpcCall,
  body: Buffer,
  outlet: Outlet,
) => Promise<StreamAnswer | undefined>;

/** What bounds the answers, in bytes. */
export interface AnswerLimits {
  /** The answers of unary calls are compressed from this size on, for those who take that. */
  readonly compressMinBytes: number;
  /** The largest message. */
  readonly maxResponseBytes: number;
}

/**
 * Returns what serves calls past the library: decode, check, serve, encode.
 *
 * What it cannot decode it leaves to the library, with the bytes that were read, so that such a call fails in one way only. A
 * message object that several streams send is encoded once a codec for all of them.
 */
export function createServeCall(
  validate: Validate,
  { compressMinBytes, maxResponseBytes }: AnswerLimits,
): ServeCall {
  const encode = createEncoder(maxResponseBytes);
  const encodeShared = createSharedEncoder(encode);

  const encoders = new Map<string, (answer: Message) => Uint8Array>();

  /** One for all calls of a method that are written alike. */
  function encoderOf({ method }: StreamRpc, { codec }: Wire): (answer: Message) => Uint8Array {
    const { output } = method;
    const id = `${codec} ${output.typeName}`;
    const known = encoders.get(id);
    if (known !== undefined) return known;
    const encodeAnswer = (answer: Message) => encodeShared(codec, output, asMessage(output, answer));
    encoders.set(id, encodeAnswer);
    return encodeAnswer;
  }

  async function openStream(rpc: StreamRpc, request: Message, head: CallHead, call: RpcCall, outlet: Outlet) {
    const { wire } = head;
    const served = rpc.serve(request, new CallHandlerContext(head, call));
    const answers = served instanceof Batched ? await openBatches(served, call) : served;
    return new StreamAnswer(answers, encoderOf(rpc, wire), { call, wire, outlet });
  }

  return async (head, call, body, outlet) => {
    const { rpc, wire } = head;
    try {
      if (call.stopReason !== undefined) throw call.stopReason;
      const request = head.isOdd ? undefined : decodeBody(wire, rpc.method.input, body);
      if (request === undefined) {
        await answerByLibrary(head, call, body, outlet);
        return undefined;
      }
      validate(rpc.method.input, request);
      if (rpc.kind === 'stream') return await openStream(rpc, request, head, call, outlet);
      const { output } = rpc.method;
      const answer = await rpc.serve(request, new CallHandlerContext(head, call));
      call.isAnswered = true;
      const data = encode(wire.codec, output, asMessage(output, answer));
      const isCompressed = head.acceptsGzip && data.byteLength >= compressMinBytes;
      const sent = isCompressed ? await compress(data) : data;
      if (!call.isEnded) sendMessage(outlet, wire, call.context.requestId, sent, isCompressed);
    } catch (error) {
      noteFailure(call, error);
      sendFailure(outlet, wire, call);
    }
    return undefined;
  };
}

/** It ends with its call. */
async function openBatches(served: Batched<Message>, call: RpcCall): Promise<Batches<Message>> {
  const batches = await served.open();
  const end = () => void batches.return();
  if (call.isEnded || call.stopReason !== undefined) end();
  else call.onAbort = end;
  return batches;
}

/** What a handler returns may be a message or its fields; the former stays the object that it is. */
function asMessage<T extends DescMessage>(schema: T, answer: Message | MessageInitShape<T>): Message {
  return create(schema, answer as MessageInitShape<T>);
}
