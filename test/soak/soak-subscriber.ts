import { setTimeout as delay } from 'node:timers/promises';
import { ConnectError } from '@connectrpc/connect';
import { WatchResponse_Kind as Kind, type WatchResponse } from '../../gen/concord/kv/v1/kv_service_pb.ts';
import { ErrorInfoSchema } from '../../gen/google/rpc/error_details_pb.ts';
import type { KvClient } from '../support/kv-client.ts';

/** What subscribers were told, all together. */
export interface Tally {
  /** Changes that were told. */
  delivered: number;
  /** Changes that were left out, as the versions of their keys show. */
  lost: number;
  /** Changes that were told although they, or later ones of their key, had been. */
  twice: number;
  /** Messages that were not behind the ones before them. */
  outOfOrder: number;
  /** Differences in place of changes; there is no cause for any. */
  resyncs: number;
  /** How often a stream ended, and was opened again with its token. */
  reopened: number;
  /** How many of those were ended as too slow. */
  tooSlow: number;
}

/** Creates a tally of nothing. */
export function createTally(): Tally {
  return { delivered: 0, lost: 0, twice: 0, outOfOrder: 0, resyncs: 0, reopened: 0, tooSlow: 0 };
}

const REOPEN_DELAY_MS = 100;

/** One watch of one prefix, from its beginning; it checks what it is told, and comes back with its token when its stream ends. */
export class SoakSubscriber {
  readonly #prefix: string;
  readonly #tally: Tally;
  readonly #versions = new Map<string, number>();
  #position = 0n;
  #resumeToken = '';

  constructor(prefix: string, tally: Tally) {
    this.#prefix = prefix;
    this.#tally = tally;
  }

  /** Nothing at or below it is still to come; 0n before the first message. */
  get position(): bigint {
    return this.#position;
  }

  /** Watches until `signal` aborts. */
  async run(kv: KvClient, signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        const request = { prefix: this.#prefix, resumeToken: this.#resumeToken };
        for await (const message of kv.watch(request, { signal })) this.#take(message);
      } catch (error) {
        if (signal.aborted) return;
        this.#noteEnd(ConnectError.from(error));
      }
      if (signal.aborted) return;
      this.#tally.reopened += 1;
      await delay(REOPEN_DELAY_MS);
    }
  }

  /** Adds what never came: the changes up to these versions. */
  settle(versions: ReadonlyMap<string, number>): void {
    for (const [key, version] of versions) {
      this.#tally.lost += Math.max(0, version - (this.#versions.get(key) ?? 0));
    }
  }

  #noteEnd(error: ConnectError): void {
    const [info] = error.findDetails(ErrorInfoSchema);
    if (info?.reason !== 'WATCH_TOO_SLOW') return;
    this.#tally.tooSlow += 1;
    this.#resumeToken = info.metadata['resume_token'] ?? this.#resumeToken;
  }

  #take({ kind, revision, resumeToken, events }: WatchResponse): void {
    const isBehind = kind === Kind.CHECKPOINT ? revision >= this.#position : revision > this.#position;
    if (!isBehind) this.#tally.outOfOrder += 1;
    if (kind === Kind.RESYNC) this.#tally.resyncs += 1;
    for (const { kv } of events) {
      if (kv === undefined) continue;
      const known = this.#versions.get(kv.key) ?? 0;
      const version = Number(kv.version);
      if (version <= known) this.#tally.twice += 1;
      else {
        this.#tally.lost += version - known - 1;
        this.#versions.set(kv.key, version);
      }
    }
    this.#tally.delivered += events.length;
    this.#position = revision;
    this.#resumeToken = resumeToken;
  }
}
