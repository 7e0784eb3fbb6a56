import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2Stream } from '../http2/http2-stream.ts';
import type { RpcCall } from '../rpc-call.ts';
import { ENVELOPE_BYTES } from './envelope.ts';
import type { CallHead } from './head.ts';
import { Http1Outlet, type Outlet } from './outlet.ts';
import { sendFailure } from './serve-call.ts';

/** What a call that comes by a connection needs of its server. */
export interface CallLife {
  /** Answers a call whose body is there, and closes it. Never rejects. */
  readonly serve: (head: CallHead, call: RpcCall, body: Buffer, outlet: Outlet) => Promise<void>;
  /** Forgets a call that is not going to be served. */
  readonly close: (call: RpcCall) => void;
  /** Of the message that is read, in bytes: what comes beyond is the library's to refuse. */
  readonly maxRequestBytes: number;
  /** Whether connections of HTTP/1.1 are to be closed after their answer. */
  readonly isDraining: () => boolean;
}

/** Receives a call that is a stream of HTTP/2, and has it served. */
export function receiveHttp2Call(stream: Http2Stream, head: CallHead, call: RpcCall, life: CallLife): void {
  const body = new Body(head, call, stream, life);
  stream.receiver = {
    data: (chunk) => body.add(chunk),
    end: () => body.complete(),
    closed(isWhole) {
      if (isWhole) call.finish();
      else call.lose();
      body.abandon();
    },
  };
}

/** Receives a call that is a request of HTTP/1.1, and has it served. */
export function receiveHttp1Call(
  request: IncomingMessage,
  response: ServerResponse,
  head: CallHead,
  call: RpcCall,
  life: CallLife,
): void {
  const body = new Body(head, call, new Http1Outlet(response, life.isDraining), life);
  request.on('data', (chunk: Buffer) => body.add(chunk));
  request.on('end', () => body.complete());
  // Whoever leaves makes these fire; 'close' is what we go by.
  request.on('error', ignore);
  response.on('error', ignore);
  response.on('finish', () => call.finish());
  response.on('close', () => {
    call.lose();
    body.abandon();
  });
}

/** The body of a call while it comes. Who is refused or stopped meanwhile does not wait for the rest. */
class Body {
  readonly #head: CallHead;
  readonly #call: RpcCall;
  readonly #outlet: Outlet;
  readonly #life: CallLife;
  readonly #chunks: Buffer[] = [];
  readonly #maxBytes: number;
  #size = 0;
  #isDone = false;

  constructor(head: CallHead, call: RpcCall, outlet: Outlet, life: CallLife) {
    this.#head = head;
    this.#call = call;
    this.#outlet = outlet;
    this.#life = life;
    this.#maxBytes = life.maxRequestBytes + (head.wire.isEnveloped ? ENVELOPE_BYTES : 0);
    call.onAbort = () => this.#refuse(call.stopReason);
    if (call.refusal !== undefined) this.#refuse(call.refusal);
  }

  /** Always true: it is done with each chunk as it comes. */
  add(chunk: Buffer): true {
    if (this.#isDone) return true;
    this.#chunks.push(chunk);
    this.#size += chunk.byteLength;
    // Too large, however sound it may be.
    if (this.#size > this.#maxBytes) this.complete({ ...this.#head, isOdd: true });
    return true;
  }

  complete(head = this.#head): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#call.onAbort = undefined;
    const [first] = this.#chunks;
    const body =
      this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks, this.#size);
    this.#chunks.length = 0;
    void this.#life.serve(head, this.#call, body, this.#outlet);
  }

  /** The connection is gone. */
  abandon(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#life.close(this.#call);
  }

  #refuse(reason: RpcCall['refusal']): void {
    if (this.#isDone || reason === undefined || this.#call.isEnded) return;
    this.#isDone = true;
    this.#life.close(this.#call);
    this.#call.fail(reason);
    sendFailure(this.#outlet, this.#head.wire, this.#call);
  }
}

function ignore(): void {}
