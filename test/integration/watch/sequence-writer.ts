import { DomainError } from '../../../src/domain/errors.ts';
import type { KeyValueStore, Operation } from '../../../src/domain/store.ts';

/** A writer at work. Each write gives its keys the next version, so that who misses one, or sees one twice, can tell. */
export interface SequenceWriter extends AsyncDisposable {
  /** Writes that were confirmed so far. */
  readonly writes: number;
  /** Writes whose outcome nobody knows, or that found no store. */
  readonly unconfirmed: number;
  /** The revision of the newest write that was confirmed. */
  readonly revision: bigint;
  /** Stops, and writes once more when the store is there again. Returns the revision of that last write. */
  finish(): Promise<bigint>;
}

/** What a writer does. */
export interface SequenceWriterOptions {
  readonly prefix: string;
  /** Over how many keys it goes round. @default 20 */
  readonly keys?: number;
  /** How long it rests after each write. @default 2 */
  readonly pauseMs?: number;
}

const CALL_TIMEOUT_MS = 20_000;
const LAST_WRITE_TIMEOUT_MS = 30_000;
const bytes = (text: string) => new TextEncoder().encode(text);

/**
 * Starts a writer on a store that is reached directly. It mostly puts one key; now and then it deletes one, or changes four at one
 * revision.
 */
export function startSequenceWriter(
  store: KeyValueStore,
  { prefix, keys = 20, pauseMs = 2 }: SequenceWriterOptions,
): SequenceWriter {
  let writes = 0;
  let unconfirmed = 0;
  let revision = 0n;
  let isStopping = false;

  async function write(operations: readonly Operation[]): Promise<boolean> {
    try {
      const written = await writeAll(store, operations);
      if (written > revision) revision = written;
      writes += 1;
      return true;
    } catch (error) {
      if (!isOutage(error)) throw error;
      unconfirmed += 1;
      return false;
    }
  }

  const writing = (async () => {
    for (let i = 0; !isStopping; i++) {
      await write(operationsOf(prefix, keys, i));
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  })();
  // Who finishes it hears of the failure.
  writing.catch(() => {});

  return {
    get writes() {
      return writes;
    },
    get unconfirmed() {
      return unconfirmed;
    },
    get revision() {
      return revision;
    },
    async finish() {
      isStopping = true;
      await writing;
      const deadline = performance.now() + LAST_WRITE_TIMEOUT_MS;
      while (!(await write([put(`${prefix}last`, 'last')]))) {
        if (performance.now() > deadline) throw new Error('the store does not come back');
      }
      return revision;
    },
    async [Symbol.asyncDispose]() {
      isStopping = true;
      await writing.catch(() => {});
    },
  };
}

/** What a history is made of. */
export interface HistoryOptions extends Pick<SequenceWriterOptions, 'prefix' | 'keys'> {
  /** The least length of a value. @default 0 */
  readonly valueBytes?: number;
  /** How many writes are under way at a time. @default 20 */
  readonly lanes?: number;
}

/** Writes so many revisions of one key each, as fast as it goes. Returns the newest. */
export async function writeHistory(
  store: KeyValueStore,
  { prefix, keys = 20, valueBytes = 0, lanes = 20 }: HistoryOptions,
  revisions: number,
): Promise<bigint> {
  let newest = 0n;
  let next = 0;
  async function lane(): Promise<void> {
    while (next < revisions) {
      const i = next++;
      const revision = await writeAll(store, [
        put(`${prefix}${i % keys}`, String(i).padEnd(valueBytes, '.')),
      ]);
      if (revision > newest) newest = revision;
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane));
  return newest;
}

/** Writes so many keys at one revision, each with a value of `valueBytes`. Returns the revision. */
export function writeLarge(
  store: KeyValueStore,
  prefix: string,
  { keys, valueBytes }: { readonly keys: number; readonly valueBytes: number },
): Promise<bigint> {
  const value = 'x'.repeat(valueBytes);
  return writeAll(
    store,
    Array.from({ length: keys }, (_, i) => put(`${prefix}large/${i}`, value)),
  );
}

async function writeAll(store: KeyValueStore, success: readonly Operation[]): Promise<bigint> {
  const { revision } = await store.txn(
    { kind: 'txn', compares: [], success, failure: [] },
    { signal: AbortSignal.timeout(CALL_TIMEOUT_MS) },
  );
  return revision;
}

function operationsOf(prefix: string, keys: number, i: number): readonly Operation[] {
  const keyAt = (offset: number) => `${prefix}${(i + offset) % keys}`;
  if (i % 10 === 7) return [{ kind: 'delete', range: { kind: 'key', key: bytes(keyAt(0)) } }];
  const offsets = i % 10 === 3 ? [0, 2, 4, 6] : [0];
  return offsets.map((offset) => put(keyAt(offset), String(i)));
}

function put(key: string, value: string): Operation {
  return { kind: 'put', key: bytes(key), value: bytes(value) };
}

function isOutage(error: unknown): boolean {
  if (error instanceof DomainError) {
    return ['OUTCOME_UNKNOWN', 'STORE_UNAVAILABLE', 'STORE_OVERLOADED'].includes(error.reason);
  }
  return error instanceof DOMException && error.name === 'TimeoutError';
}
