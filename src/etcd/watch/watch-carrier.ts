// Carries a set of watches through the life of many streams: when one breaks or goes silent, the next takes all of them on.
//
// States: idle (no watch) → opening → open → (broken) waiting → opening … → closed. A stream is open when etcd answered it; it counts
// as dead when it has said nothing for a bound although it was asked for a sign of life, or did not answer a creation in time, or
// its member is under suspicion.

import type { Metadata } from '@grpc/grpc-js';
import type { DomainError } from '../../domain/errors.ts';
import type { Cluster } from '../cluster.ts';
import { toDomainError } from '../errors.ts';
import type { Member } from '../member.ts';
import { Status } from '../status.ts';
import type { LogicalWatch } from './logical-watch.ts';
import { hasReliableProgress } from './reliable-progress.ts';
import { type StreamOwner, WatchStream } from './watch-stream.ts';

/** How long, how often. All in milliseconds. */
export interface CarrierTimes {
  /** How often a silent stream is asked for a sign of life. @default 1000 */
  readonly heartbeatMs: number;
  /** How long a stream may be silent all the same. @default 5000 */
  readonly silenceMs: number;
  /** The first wait after a break; it doubles up to the longest. @default 50 */
  readonly minBackoffMs: number;
  /** @default 2000 */
  readonly maxBackoffMs: number;
}

export const DEFAULT_CARRIER_TIMES: CarrierTimes = {
  heartbeatMs: 1_000,
  silenceMs: 5_000,
  minBackoffMs: 50,
  maxBackoffMs: 2_000,
};

/** The longest silence ever borne: a stream that only reads old history may have nothing to say for long. */
const MAX_SILENCE_MS = 60_000;

/** What all carriers of one source share. */
export interface CarrierContext {
  readonly cluster: Cluster;
  readonly times: CarrierTimes;
  /** Told with each watch that is created. */
  readonly onClusterId: (id: bigint) => void;
  /** Told when a carrier has no watch any more. It can be given others. */
  readonly onEmpty: (carrier: WatchCarrier) => void;
}

/** One stream at a time, and the watches on it. */
export class WatchCarrier {
  readonly #context: CarrierContext;
  readonly #watches = new Set<LogicalWatch>();
  #stream: WatchStream | undefined;
  #member: Member | undefined;
  /** Of the cluster that the watches are of; revisions of another one mean something else. */
  #clusterId: bigint | undefined;
  #isOpening = false;
  #isPaused = false;
  #isClosed = false;
  #attempt = 0;
  #silenceMs: number;
  #heardMs = 0;
  #heartbeat: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;

  constructor(context: CarrierContext) {
    this.#context = context;
    this.#silenceMs = context.times.silenceMs;
  }

  get size(): number {
    return this.#watches.size;
  }

  add(watch: LogicalWatch): void {
    this.#watches.add(watch);
    if (this.#stream !== undefined) this.#stream.create(watch);
    else if (!this.#isOpening && this.#retry === undefined) void this.#open();
  }

  /** Ends a watch; with the last one the stream ends too. */
  remove(watch: LogicalWatch): void {
    watch.close();
    if (!this.#watches.has(watch)) return;
    this.#stream?.cancel(watch);
    this.#leave(watch);
  }

  pause(): void {
    this.#isPaused = true;
    this.#stream?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#heardMs = performance.now();
    this.#stream?.resume();
  }

  close(): void {
    this.#isClosed = true;
    for (const watch of this.#watches) watch.close();
    this.#watches.clear();
    this.#drop();
  }

  async #open(): Promise<void> {
    this.#isOpening = true;
    try {
      const { member, metadata } = await this.#context.cluster.choose();
      const call = await member.openWatch(metadata);
      if (this.#isClosed || this.#watches.size === 0) {
        call.on('error', () => {});
        call.cancel();
        return;
      }
      this.#member = member;
      this.#heardMs = performance.now();
      const stream = new WatchStream(call, this.#ownerOf(metadata));
      this.#stream = stream;
      void this.#learnOfNotices(stream, member, metadata);
      if (this.#isPaused) stream.pause();
      for (const watch of this.#watches) stream.create(watch);
      this.#heartbeat = setInterval(() => this.#beat(stream), this.#context.times.heartbeatMs);
      this.#heartbeat.unref();
    } catch {
      // No member could be reached, or none gives a token: tried again after the back-off, for as long as there are watches.
      this.#broken();
    } finally {
      this.#isOpening = false;
    }
  }

  #ownerOf(metadata: Metadata): StreamOwner {
    return {
      heard: (isNews) => {
        this.#heardMs = performance.now();
        if (!isNews) return;
        this.#attempt = 0;
        this.#silenceMs = this.#context.times.silenceMs;
      },
      rejected: (watch, reason) => {
        this.#leave(watch);
        watch.failed(rejection(reason));
      },
      compacted: (watch) => {
        this.#leave(watch);
        watch.compacted();
      },
      clusterId: (id) => {
        const isAnother = this.#clusterId !== undefined && this.#clusterId !== id;
        this.#clusterId = id;
        this.#context.onClusterId(id);
        if (!isAnother) return;
        const watches = [...this.#watches];
        for (const watch of watches) this.#leave(watch);
        for (const watch of watches) watch.compacted();
      },
      ended: (end) => {
        if (end.kind === 'tokenRejected') this.#context.cluster.discardToken(metadata);
        this.#broken();
      },
    };
  }

  /** Asks a silent stream for a sign of life, and gives up one that gave none. */
  #beat(stream: WatchStream): void {
    if (this.#isPaused) return;
    const { heartbeatMs } = this.#context.times;
    const silentMs = performance.now() - this.#heardMs;
    // By then it was asked, and had time to answer.
    const isSuspect = this.#member?.isSuspect === true && silentMs >= 2 * heartbeatMs;
    if (silentMs >= this.#silenceMs || isSuspect) {
      // A creation is answered at once; history may take its time, and more with each try.
      if (!stream.isCreating && !isSuspect) this.#silenceMs = Math.min(2 * this.#silenceMs, MAX_SILENCE_MS);
      stream.close();
      if (!isSuspect) this.#member?.suspect(this.#silenceMs);
      this.#broken();
    } else if (silentMs >= heartbeatMs / 2) stream.requestProgress();
  }

  /** A member that does not say whether its notices can be trusted is asked again. */
  async #learnOfNotices(stream: WatchStream, member: Member, metadata: Metadata): Promise<void> {
    const { cluster, times } = this.#context;
    while (stream === this.#stream) {
      const isReliable = await hasReliableProgress(cluster, member, metadata);
      if (isReliable) stream.trustNotices();
      if (isReliable !== undefined) return;
      await new Promise((resolve) => setTimeout(resolve, times.heartbeatMs).unref());
    }
  }

  /** Lets go of a watch; with the last one the stream ends too. */
  #leave(watch: LogicalWatch): void {
    this.#watches.delete(watch);
    if (this.#watches.size > 0) return;
    this.#drop();
    this.#context.onEmpty(this);
  }

  #broken(): void {
    this.#drop();
    if (this.#isClosed || this.#watches.size === 0) return;
    const { minBackoffMs, maxBackoffMs } = this.#context.times;
    const delayMs = Math.min(maxBackoffMs, minBackoffMs * 2 ** this.#attempt++) * (0.5 + Math.random() / 2);
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      if (this.#watches.size > 0) void this.#open();
    }, delayMs);
  }

  #drop(): void {
    clearInterval(this.#heartbeat);
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#stream?.close();
    this.#stream = undefined;
  }
}

/** Etcd names the cause of a rejected watch in words alone. */
function rejection(reason: string): DomainError {
  const error = Object.assign(new Error(`etcd rejected the watch: ${reason}`), {
    code: Status.failedPrecondition,
    details: reason || 'no cause given',
  });
  return toDomainError(error, { isWrite: false });
}
