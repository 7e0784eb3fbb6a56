import { type Event, Event_Type } from '../../../gen/concord/kv/v1/event_pb.ts';
import type { KeyValue } from '../../../gen/concord/kv/v1/key_value_pb.ts';
import {
  WatchResponse_Kind as Kind,
  type WatchRequest,
  type WatchResponse,
} from '../../../gen/concord/kv/v1/kv_service_pb.ts';
import { prefixRange } from '../../../src/domain/key-range.ts';
import type { KeyValueStore } from '../../../src/domain/store.ts';
import { eventually } from '../../support/eventually.ts';
import type { KvClient } from '../../support/kv-client.ts';

/** What is known of a key. */
export interface Known {
  readonly version: bigint;
  readonly modRevision: bigint;
}

/** The keys there are, and what is known of each. */
export type State = ReadonlyMap<string, Known>;

/** What a test may ask for. */
export type WatchParameters = Partial<
  Pick<
    WatchRequest,
    | 'key'
    | 'prefix'
    | 'start'
    | 'end'
    | 'startRevision'
    | 'resumeToken'
    | 'includeSnapshot'
    | 'coalesce'
    | 'keysOnly'
  >
>;

/** How long a test waits for what must come, on a machine that has more to do. */
const REACH_TIMEOUT_MS = 90_000;

/**
 * A subscriber that rebuilds the state from what it is told, and notes everything that breaks a promise of the contract.
 *
 * An event must give its key the version after the one that the subscriber knows: so a lost one shows, one that comes twice, and one
 * out of order. It must know all keys of its range from their first version on, by their history or by a snapshot.
 */
export class WatchRecorder {
  /** What broke a promise, in words. */
  readonly faults: string[] = [];
  readonly resyncs: {
    readonly revision: bigint;
    readonly state: State;
    readonly events: readonly Event[];
  }[] = [];
  eventCount = 0;
  messageCount = 0;
  /** How many events the largest message had. */
  largestMessage = 0;
  /** Nothing at or below it is still to come. */
  position = 0n;
  resumeToken = '';
  /** How the last stream ended; undefined while one runs. */
  end: { readonly error: unknown } | undefined;
  #state = new Map<string, Known>();
  /** A snapshot that is not whole yet. */
  #snapshot: Map<string, Known> | undefined;

  get state(): State {
    return this.#state;
  }

  /** Reads a stream to its end. */
  async follow(stream: AsyncIterable<WatchResponse>): Promise<void> {
    this.end = undefined;
    let error: unknown;
    try {
      for await (const message of stream) this.take(message);
    } catch (thrown) {
      error = thrown;
    }
    this.end = { error };
  }

  take(message: WatchResponse): void {
    const { kind, revision, events } = message;
    this.messageCount += 1;
    this.resumeToken = message.resumeToken;
    switch (kind) {
      case Kind.SNAPSHOT:
        this.#snapshot ??= new Map();
        for (const { key, version, modRevision } of message.kvs)
          this.#snapshot.set(key, { version, modRevision });
        return;
      case Kind.SYNCED:
        this.#state = this.#snapshot ?? new Map();
        this.#snapshot = undefined;
        break;
      case Kind.EVENTS:
        if (revision <= this.position) this.faults.push(`events of ${revision} behind ${this.position}`);
        this.#snapshot = undefined;
        for (const event of events) this.#apply(event);
        this.eventCount += events.length;
        this.largestMessage = Math.max(this.largestMessage, events.length);
        break;
      case Kind.CHECKPOINT:
        if (revision < this.position) this.faults.push(`a checkpoint of ${revision} behind ${this.position}`);
        break;
      case Kind.RESYNC:
        this.#snapshot = new Map();
        for (const event of events) this.#applyDifference(event);
        this.resyncs.push({ revision, state: new Map(this.#state), events });
        if (events.length > 0) break;
        // A snapshot may follow, and counts: that of another cluster may be of a lower revision.
        this.position = 0n;
        return;
      default:
        this.faults.push(`a message of kind ${kind}`);
    }
    if (revision > this.position) this.position = revision;
  }

  /** Resolves when everything up to `revision` was received. */
  reaches(revision: bigint, timeoutMs = REACH_TIMEOUT_MS): Promise<void> {
    return eventually(() => {
      if (this.position >= revision) return;
      const end = this.end === undefined ? '' : `; the stream ended: ${this.end.error}`;
      throw new Error(`at ${this.position}, not at ${revision}, after ${this.eventCount} events${end}`);
    }, timeoutMs);
  }

  #apply({ type, kv }: Event): void {
    if (kv === undefined) return void this.faults.push('an event without a key');
    const known = this.#state.get(kv.key);
    if (isDeletion(type)) {
      if (known === undefined)
        this.faults.push(`${kv.key} is deleted at ${kv.modRevision}, but is not there`);
      this.#state.delete(kv.key);
      return;
    }
    const expected = (known?.version ?? 0n) + 1n;
    if (kv.version !== expected) {
      this.faults.push(`${kv.key} has version ${kv.version} at ${kv.modRevision}, not ${expected}`);
    }
    if ((type === Event_Type.CREATED) !== (known === undefined))
      this.faults.push(`${kv.key} is of type ${type}`);
    this.#set(kv);
  }

  #applyDifference({ type, kv }: Event): void {
    if (kv === undefined) return void this.faults.push('a difference without a key');
    const known = this.#state.get(kv.key);
    if ((type === Event_Type.CREATED) !== (known === undefined)) {
      this.faults.push(`the difference has ${kv.key} with type ${type}, known is ${known?.version}`);
    }
    if (known?.modRevision === kv.modRevision)
      this.faults.push(`the difference has ${kv.key}, which did not change`);
    if (isDeletion(type)) this.#state.delete(kv.key);
    else this.#set(kv);
  }

  #set({ key, version, modRevision }: KeyValue): void {
    this.#state.set(key, { version, modRevision });
  }
}

/** A recorder and the stream that it reads; disposing aborts the stream. */
export interface Recording extends AsyncDisposable {
  readonly recorder: WatchRecorder;
}

/** Starts to record a watch, with a checkpoint every 200 ms. Resolves with its first message: what is written then, it is told. */
export async function startRecording(
  kv: KvClient,
  request: WatchParameters,
  recorder = new WatchRecorder(),
): Promise<Recording> {
  const controller = new AbortController();
  const before = recorder.messageCount;
  const stream = kv.watch(
    { checkpointInterval: { nanos: 200_000_000 }, ...request },
    { signal: controller.signal },
  );
  const followed = recorder.follow(stream);
  const first = eventually(() => {
    if (recorder.messageCount === before) throw new Error('a watch has no first message');
  }, REACH_TIMEOUT_MS);
  await Promise.race([first, followed]);
  if (recorder.end !== undefined) throw recorder.end.error;
  return {
    recorder,
    async [Symbol.asyncDispose]() {
      controller.abort();
      await followed;
    },
  };
}

/** Reads the state of a prefix from the store itself. */
export async function stateAt(store: KeyValueStore, prefix: string, revision = 0n): Promise<State> {
  const range = prefixRange(new TextEncoder().encode(prefix));
  const { kvs } = await store.read(
    { kind: 'read', range, view: 'keys', revision },
    { signal: AbortSignal.timeout(REACH_TIMEOUT_MS) },
  );
  const decoder = new TextDecoder();
  return new Map(kvs.map(({ key, version, modRevision }) => [decoder.decode(key), { version, modRevision }]));
}

function isDeletion(type: Event_Type): boolean {
  return type === Event_Type.DELETED || type === Event_Type.EXPIRED;
}
