import { ConnectError } from '@connectrpc/connect';

/** How one call of a caller ended. */
export interface CallRecord {
  readonly caller: number;
  /** How many calls this caller made before. */
  readonly index: number;
  readonly startMs: number;
  readonly endMs: number;
  /** Undefined: it succeeded. */
  readonly error: ConnectError | undefined;
}

/** Callers at work. */
export interface Callers {
  /** The calls that have ended, in that order. */
  readonly records: readonly CallRecord[];
  /** Resolves when every caller has ended: by itself, or by `stop`. */
  readonly ended: Promise<void>;
  /** Lets each caller end its call and make no other. */
  stop(): Promise<void>;
}

/** What callers do. */
export interface CallersOptions {
  readonly count: number;
  /** Makes one call. */
  readonly call: (caller: number, index: number) => Promise<unknown>;
  /** Whether a caller goes on after this call. */
  readonly goesOn: (record: CallRecord) => boolean;
}

/** Starts callers, each of which makes one call after another. */
export function startCallers({ count, call, goesOn }: CallersOptions): Callers {
  const records: CallRecord[] = [];
  let isStopping = false;

  async function run(caller: number): Promise<void> {
    for (let index = 0; !isStopping; index++) {
      const startMs = performance.now();
      const error = await call(caller, index).then(
        () => undefined,
        (thrown: unknown) => ConnectError.from(thrown),
      );
      const record = { caller, index, startMs, endMs: performance.now(), error };
      records.push(record);
      if (!goesOn(record)) return;
    }
  }

  const ended = Promise.all(Array.from({ length: count }, (_, caller) => run(caller))).then(() => {});
  return {
    records,
    ended,
    stop() {
      isStopping = true;
      return ended;
    },
  };
}
