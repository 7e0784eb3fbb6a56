import { MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt';
import { reasonError } from '../rpc/checks/errors.ts';
import type { RpcCall } from './rpc-call.ts';

/** The calls that are being served, from their first byte until their handler has ended and their answer has left. */
export class OpenCalls {
  readonly #maxStreams: number;
  readonly #calls = new Set<RpcCall>();
  #streams = 0;
  #isStopping = false;

  /** @param maxStreams how many streaming calls are served at once; further ones are refused. */
  constructor(maxStreams: number) {
    this.#maxStreams = maxStreams;
  }

  /** Every open call. */
  get size(): number {
    return this.#calls.size;
  }

  /** The streaming ones among them. */
  get streams(): number {
    return this.#streams;
  }

  /** Takes in a call; a stream that is one too many, or comes too late, is given a refusal. */
  add(call: RpcCall): void {
    this.#calls.add(call);
    if (!call.isStream) return;
    if (this.#isStopping) {
      call.refusal = shuttingDown();
    } else if (this.#streams >= this.#maxStreams) {
      const limit = String(this.#maxStreams);
      const message = `The gateway serves ${limit} streams already; try again later, or another replica`;
      call.refusal = reasonError('LIMIT_REACHED', message, { limit });
    }
    this.#streams += 1;
  }

  /** Lets go of a call that has ended. */
  delete(call: RpcCall): void {
    if (this.#calls.delete(call) && call.isStream) this.#streams -= 1;
  }

  /** Ends every stream, now and from now on, with UNAVAILABLE `SHUTTING_DOWN`. Unary calls go on. */
  stopStreams(): void {
    this.#isStopping = true;
    const reason = shuttingDown();
    for (const call of this.#calls) if (call.isStream) call.stop(reason);
  }

  /** Ends every call with UNAVAILABLE: one that may have written with `OUTCOME_UNKNOWN`, all others with `SHUTTING_DOWN`. */
  stopAll(): void {
    this.stopStreams();
    for (const call of this.#calls) call.stop(mayHaveWritten(call) ? outcomeUnknown() : shuttingDown());
  }
}

function mayHaveWritten({ isStream, context }: RpcCall): boolean {
  return !isStream && context.method.idempotency !== MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
}

function outcomeUnknown() {
  const message =
    'The gateway was shut down before the write was answered; it may or may not have happened. Read first';
  return reasonError('OUTCOME_UNKNOWN', message);
}

function shuttingDown() {
  return reasonError('SHUTTING_DOWN', 'The gateway is shutting down; call another replica');
}
