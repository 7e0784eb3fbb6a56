import type { Message } from '@bufbuild/protobuf';
import { noteFailure } from '../call-interceptor.ts';
import type { RpcCall } from '../rpc-call.ts';
import { beginStream, endStream, sendFailure } from './answers.ts';
import type { Outlet } from './outlet.ts';
import type { Wire } from './wire.ts';

/** What a stream sends: messages one by one, or several at once. */
export type Answers = AsyncIterable<Message | readonly Message[]>;

/** The answer of a call that is a stream. It may live for days, silent: it keeps nothing of the request. */
export class StreamAnswer {
  readonly #answers: Answers;
  readonly #encode: (answer: Message) => Uint8Array;
  readonly #call: RpcCall;
  readonly #wire: Wire;
  readonly #outlet: Outlet;

  /** @param encode returns a message in its envelope. */
  constructor(
    answers: Answers,
    encode: (answer: Message) => Uint8Array,
    { call, wire, outlet }: { readonly call: RpcCall; readonly wire: Wire; readonly outlet: Outlet },
  ) {
    this.#answers = answers;
    this.#encode = encode;
    this.#call = call;
    this.#wire = wire;
    this.#outlet = outlet;
  }

  /** Sends all of it as it comes, no faster than its connection takes it, and how it ended. */
  async send(): Promise<void> {
    const [call, outlet] = [this.#call, this.#outlet];
    try {
      for await (const answers of this.#answers) {
        if (call.isEnded) return;
        this.#begin();
        const batch = isBatch(answers) ? answers : [answers];
        if (!outlet.write(batch.map(this.#encode))) await outlet.untilWritable();
        if (call.isEnded) return;
      }
      if (call.isEnded) return;
      if (call.stopReason !== undefined) throw call.stopReason;
      this.#begin();
      endStream(outlet, this.#wire, undefined);
    } catch (error) {
      noteFailure(call, error);
      sendFailure(outlet, this.#wire, call);
    }
  }

  #begin(): void {
    if (!this.#outlet.hasBegun) beginStream(this.#outlet, this.#wire, this.#call.context.requestId);
  }
}

function isBatch(answers: Message | readonly Message[]): answers is readonly Message[] {
  return Array.isArray(answers);
}
