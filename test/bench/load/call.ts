/** One kind of call to one server, encoded before the load begins. */
export interface Call {
  /** `grpc` goes over HTTP/2 without TLS, `json` over HTTP/1.1. */
  readonly protocol: 'grpc' | 'json';
  /** Such as `/etcdserverpb.KV/Range`. */
  readonly path: string;
  /** The messages, sent in this order and then from the start again. */
  readonly requests: readonly Uint8Array[];
  /** No right answer is shorter; every answer is held to it. */
  readonly minAnswerBytes: number;
  /** Reads an answer whole and throws unless it is the right one to `requests[index]`; some answers are held to it. */
  readonly check: (answer: Buffer, index: number) => void;
  /** Whether calls for a few keys cost a server what calls for all do: what it reads is in its memory, and not asked for. */
  readonly isAnyKeyLikeAll?: boolean;
}

/** What the driver knows of a call that is on its way. */
export interface OpenCall {
  /** Which of `requests` was sent. */
  readonly index: number;
  /** By `performance.now()`. */
  readonly sentAtMs: number;
}

/** A connection that calls go out on. */
export interface CallConnection {
  /** Queues `requests[index]`; it leaves with the next `flush`, or at the end of the events of one received chunk. */
  send(index: number): void;
  flush(): void;
  close(): void;
}

/** What comes back from a connection. */
export interface CallEvents {
  /** A success by the protocol's own signs; the message alone, without envelope. */
  onAnswer(call: OpenCall, message: Buffer): void;
  /** The connection is of no use any more, or an answer was no success. */
  onFailure(error: Error): void;
}

/** Opens one more connection to a server. */
export type Connector = (events: CallEvents) => Promise<CallConnection>;
