// Renewals of leases, carried through the life of many streams: when one breaks or goes silent, the next takes on all that are
// pending, for a renewal may be repeated.
//
// States: idle → opening → open → (broken) waiting → opening … → closed; from open back to idle where nothing is asked for long.
// While a stream is open, the first of the pending renewals are written to it in their order, which is that of the answers: an
// answer is that of the first. One that settled early (aborted, or out of time) keeps its place until then.

import type { Metadata } from '@grpc/grpc-js';
import { DomainError } from '../../domain/errors.ts';
import type { OperationOptions } from '../../domain/store.ts';
import { type Cluster, SUSPECT_MS } from '../cluster.ts';
import { leaseNotFound, storeUnavailable, toDomainError } from '../errors.ts';
import type { Member } from '../member.ts';
import { isTokenRejected, type StatusError } from '../status.ts';
import { type KeepAliveOwner, KeepAliveStream } from './keep-alive-stream.ts';
import { DEFAULT_KEEP_ALIVE_TIMES, type KeepAliveTimes } from './keep-alive-times.ts';
import { Queue } from './queue.ts';
import { Renewal, type RenewedLease } from './renewal.ts';

/** How many renewals may wait for their answers on a stream: grpc-js copies all that it has to send with each that is sent. */
const MAX_UNANSWERED = 1_000;

/** A stream and where it goes. */
interface OpenStream {
  readonly stream: KeepAliveStream;
  readonly member: Member;
  /** Suspicion that is older than the stream is no news. */
  readonly wasSuspect: boolean;
}

/** Renews the leases of one gateway, all on one stream at a time. */
export class KeepAlives {
  readonly #cluster: Cluster;
  readonly #times: KeepAliveTimes;
  readonly #pending = new Queue<Renewal>();
  /** How many of those, from the first, are written to the open stream. */
  #written = 0;
  #open: OpenStream | undefined;
  #isOpening = false;
  #isClosed = false;
  #attempt = 0;
  /** The bound on silence at the moment. */
  #silenceMs: number;
  /** For how long nothing was heard, or nothing asked: in ticks, so that a busy event loop takes no answer that waits for silence. */
  #quietMs = 0;
  #hasHeard = false;
  /** For how long the leader was not asked for. */
  #uncheckedMs = 0;
  /** Why the last stream ended, for the logs. */
  #trouble: unknown;
  #ticker: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;

  constructor(cluster: Cluster, times?: Partial<KeepAliveTimes>) {
    this.#cluster = cluster;
    this.#times = { ...DEFAULT_KEEP_ALIVE_TIMES, ...times };
    this.#silenceMs = this.#times.silenceMs;
  }

  /**
   * Renews a lease. Rejects with LEASE_NOT_FOUND where it is gone, with STORE_UNAVAILABLE after the longest time that any call
   * may take, and with the signal's reason some 100 ms after it aborts.
   */
  async renew(leaseId: bigint, { signal }: OperationOptions): Promise<RenewedLease> {
    signal.throwIfAborted();
    if (this.#isClosed) throw storeUnavailable(new Error('the connection to etcd is closed'));
    return new Promise((resolve, reject) => {
      if (this.#pending.size === 0) this.#quietMs = 0;
      this.#pending.push(new Renewal(leaseId, signal, { resolve, reject }));
      this.#ticker ??= setInterval(() => this.#tick(), this.#times.tickMs).unref();
      if (this.#open !== undefined) this.#write(this.#open.stream);
      else if (!this.#isOpening && this.#retry === undefined) void this.#openStream();
    });
  }

  /** Ends the stream; what is pending rejects with STORE_UNAVAILABLE. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#failAll(storeUnavailable(new Error('the connection to etcd was closed')));
    this.#drop();
    this.#rest();
  }

  async #openStream(): Promise<void> {
    this.#isOpening = true;
    try {
      const { member, metadata } = await this.#cluster.chooseLeader();
      const call = await member.openKeepAlive(metadata);
      const stream = new KeepAliveStream(call, this.#ownerOf(metadata));
      if (this.#isClosed) {
        stream.close();
        return;
      }
      this.#open = { stream, member, wasSuspect: member.isSuspect };
      this.#quietMs = 0;
      this.#uncheckedMs = 0;
      this.#hasHeard = false;
      this.#pending.retain(({ isSettled }) => !isSettled);
      this.#write(stream);
    } catch (error) {
      // No member could be reached: tried again after the back-off. Anything else is what a unary call would say at once.
      if (error instanceof DomainError && error.reason !== 'STORE_UNAVAILABLE') this.#failAll(error);
      this.#broken(error);
    } finally {
      this.#isOpening = false;
    }
  }

  #write(stream: KeepAliveStream): void {
    while (this.#written < MAX_UNANSWERED) {
      const renewal = this.#pending.at(this.#written);
      if (renewal === undefined) return;
      this.#written += 1;
      stream.write(renewal.leaseId);
    }
  }

  #ownerOf(metadata: Metadata): KeepAliveOwner {
    return {
      answered: (lease) => this.#answered(lease),
      ended: (error) => {
        if (isTokenRejected(error)) this.#cluster.discardToken(metadata);
        else this.#blameFirst(error);
        this.#broken(error);
      },
    };
  }

  #answered(lease: RenewedLease): void {
    this.#quietMs = 0;
    this.#attempt = 0;
    this.#trouble = undefined;
    this.#hasHeard = true;
    this.#silenceMs = this.#times.silenceMs;
    const renewal = this.#pending.shift();
    this.#written -= 1;
    if (this.#open !== undefined) this.#write(this.#open.stream);
    if (renewal === undefined || renewal.leaseId !== lease.leaseId) {
      renewal?.fail(storeUnavailable(new Error('etcd answered out of order')));
      this.#broken(new Error('etcd answered out of order'));
    } else if (lease.ttlSeconds > 0n) renewal.succeed(lease);
    else renewal.fail(leaseNotFound(lease.leaseId));
  }

  /** A renewal that etcd refuses ends the whole stream: repeated, it would end the next one too, and hold up all others. */
  #blameFirst(error: StatusError): void {
    const [first] = this.#pending;
    if (first === undefined) return;
    const refusal = toDomainError(error, { isWrite: false, leaseId: first.leaseId });
    if (refusal.reason !== 'STORE_UNAVAILABLE' && refusal.reason !== 'STORE_OVERLOADED') first.fail(refusal);
  }

  /** Settles what is out of time, and gives up a stream that is silent, or idle. */
  #tick(): void {
    const lateMs = performance.now() - this.#cluster.callTimeoutMs;
    for (const renewal of this.#pending) {
      renewal.heedSignal();
      if (!renewal.isSettled && renewal.calledMs <= lateMs) renewal.fail(storeUnavailable(this.#trouble));
    }
    if (this.#open === undefined) {
      this.#pending.retain(({ isSettled }) => !isSettled);
      return;
    }
    this.#quietMs += this.#times.tickMs;
    this.#uncheckedMs += this.#times.tickMs;
    if (this.#uncheckedMs >= this.#times.leaderCheckMs) void this.#followLeader(this.#open);
    if (this.#pending.size > 0) this.#judge(this.#open);
    else if (this.#quietMs >= this.#times.idleMs) {
      this.#drop();
      this.#rest();
    }
  }

  #judge({ member, wasSuspect }: OpenStream): void {
    const { tickMs, maxSilenceMs } = this.#times;
    // In two ticks it had time to answer.
    const isNewSuspect = member.isSuspect && !wasSuspect && this.#quietMs >= 2 * tickMs;
    const isSilent = this.#quietMs > this.#silenceMs;
    if (!isSilent && !isNewSuspect) return;
    if (isSilent) {
      member.suspect(SUSPECT_MS);
      if (!this.#hasHeard) this.#silenceMs = Math.min(2 * this.#silenceMs, maxSilenceMs);
    }
    this.#broken(new Error(`etcd did not answer for ${this.#quietMs} ms at ${member.endpoint}`));
  }

  /** Any member renews, but one that does not lead passes renewals on one by one. */
  async #followLeader(open: OpenStream): Promise<void> {
    this.#uncheckedMs = 0;
    // It rejects when the connection is closed meanwhile: then there is no stream to move.
    const leader = await this.#cluster.leader().catch(() => undefined);
    if (leader === undefined || leader === open.member || open !== this.#open) return;
    this.#broken(new Error(`another member than ${open.member.endpoint} leads`));
  }

  #broken(trouble: unknown): void {
    this.#trouble = trouble;
    this.#drop();
    this.#pending.retain(({ isSettled }) => !isSettled);
    if (this.#isClosed || this.#pending.size === 0) {
      this.#rest();
      return;
    }
    const { minBackoffMs, maxBackoffMs } = this.#times;
    const delayMs = Math.min(maxBackoffMs, minBackoffMs * 2 ** this.#attempt++) * (0.5 + Math.random() / 2);
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      if (this.#pending.size > 0) void this.#openStream();
      else this.#rest();
    }, delayMs);
  }

  #failAll(error: DomainError): void {
    for (const renewal of this.#pending) renewal.fail(error);
  }

  #drop(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#open?.stream.close();
    this.#open = undefined;
    this.#written = 0;
  }

  /** With nothing pending and no stream there is nothing to look after. */
  #rest(): void {
    clearInterval(this.#ticker);
    this.#ticker = undefined;
  }
}
