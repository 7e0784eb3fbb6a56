import type { RpcCall } from '../rpc-call.ts';
import type { Answer } from './answer.ts';
import type { UnaryHead } from './unary-head.ts';

/** What a call that is read from a connection needs of its server. */
export interface DirectExchange {
  /** Answers a call whose body is there. Never rejects. */
  serve(head: UnaryHead, call: RpcCall, body: Buffer): Promise<Answer>;
  /** To be called once the call's answer has been given to the connection, or cannot be. */
  close(call: RpcCall): void;
  /** Of the body that is read, in bytes: what comes beyond is the library's to refuse. */
  readonly maxRequestBytes: number;
}
