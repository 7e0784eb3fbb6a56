import { create, type DescMessage, type Message, type MessageInitShape } from '@bufbuild/protobuf';
import type { Validate } from '../../rpc/checks/validation.ts';
import { Batched } from '../../rpc/fields/batched.ts';
import { noteFailure } from '../call-interceptor.ts';
import type { RpcCall } from '../rpc-call.ts';
import { beginStream, endStream, sendError, sendMessage } from './answers.ts';
import { compress, createEncoder, createSharedEncoder, decodeBody } from './codec.ts';
import { CallHandlerContext } from './context.ts';
import type { CallHead } from './head.ts';
import { answerByLibrary } from './library.ts';
import type { Outlet } from './outlet.ts';
import type { StreamRpc } from './rpcs.ts';
import type { Wire } from './wire.ts';

/** Serves one call whose body has come, until its answer has been given to the outlet. Never rejects. */
export type ServeCall = (head: CallHead, call: RpcCall, body: Buffer, outlet: Outlet) => Promise<void>;

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

  async function serveStream(
    rpc: StreamRpc,
    request: Message,
    head: CallHead,
    call: RpcCall,
    outlet: Outlet,
  ) {
    const { wire } = head;
    const { output } = rpc.method;
    async function send(answers: readonly Message[]): Promise<void> {
      if (call.isEnded) return;
      if (!outlet.hasBegun) beginStream(outlet, wire, call.context.requestId);
      const chunks = answers.map((answer) => encodeShared(wire.codec, output, asMessage(output, answer)));
      if (!outlet.write(chunks)) await outlet.untilWritable();
    }
    const answers = rpc.serve(request, new CallHandlerContext(head, call));
    if (answers instanceof Batched) {
      for await (const batch of answers.batches) {
        await send(batch);
        if (call.isEnded) return;
      }
    } else {
      for await (const answer of answers) {
        await send([answer]);
        if (call.isEnded) return;
      }
    }
    if (call.stopReason !== undefined) throw call.stopReason;
    if (!outlet.hasBegun) beginStream(outlet, wire, call.context.requestId);
    endStream(outlet, wire, undefined);
  }

  return async (head, call, body, outlet) => {
    const { rpc, wire } = head;
    try {
      if (call.stopReason !== undefined) throw call.stopReason;
      const request = head.isOdd ? undefined : decodeBody(wire, rpc.method.input, body);
      if (request === undefined) return await answerByLibrary(head, call, body, outlet);
      validate(rpc.method.input, request);
      if (rpc.kind === 'stream') {
        await serveStream(rpc, request, head, call, outlet);
        return;
      }
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
  };
}

/** Sends what a call fails with, after all that was sent of it. */
export function sendFailure(outlet: Outlet, wire: Wire, call: RpcCall): void {
  if (call.isEnded || call.failure === undefined) return;
  const { requestId } = call.context;
  if (!wire.isEnveloped) {
    sendError(outlet, requestId, call.failure);
    return;
  }
  if (!outlet.hasBegun) beginStream(outlet, wire, requestId);
  endStream(outlet, wire, call.failure);
}

/** What a handler returns may be a message or its fields; the former stays the object that it is. */
function asMessage<T extends DescMessage>(schema: T, answer: Message | MessageInitShape<T>): Message {
  return create(schema, answer as MessageInitShape<T>);
}
