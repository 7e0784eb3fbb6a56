/** One watch of one server over gRPC, encoded before it is opened. */
export interface WatchCall {
  readonly path: string;
  readonly request: Uint8Array;
  /** Whether the caller has no more to say after the request. */
  readonly isRequestLast: boolean;
  /** Throws unless a message is the one that comes first, and says that the watch is open. */
  readonly checkFirst: (message: Buffer) => void;
  /** How many events the message from `start` to `end` holds; reads no more of it than that takes. */
  readonly countEvents: (bytes: Buffer, start: number, end: number) => number;
  /** Reads a message whole, and gives the revision of each event; throws unless each is a put of what the bench writes. */
  readonly readRevisions: (message: Buffer) => readonly bigint[];
}
