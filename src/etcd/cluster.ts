// Calls to a cluster: which member is asked, for how long, and what is tried again.
//
// Members are asked in turn, those that last failed after the others. A request that only reads gives a member that has peers
// one second, then asks the next. A write is sent again only where it surely had no effect. Besides, each member of several is
// probed every second, so that a dead or a stalled one is known before a caller meets it.

import { setTimeout as delay } from 'node:timers/promises';
import type { Metadata } from '@grpc/grpc-js';
import { type Cancellation, cancellationOf } from '../domain/cancellation.ts';
import type { OperationOptions } from '../domain/store.ts';
import type { Authenticator } from './authenticator.ts';
import { type Attempt, toDomainError } from './errors.ts';
import { findLeader } from './find-leader.ts';
import type { Answer, EncodedCall, EtcdServiceName, Member, MemberCall } from './member.ts';
import { isPassing, isSurelyNotApplied, isTokenRejected, Status } from './status.ts';

/** How long, how often. All in milliseconds. */
export interface ClusterTimes {
  /** The longest a call may take, all its attempts together. @default 5000 */
  readonly callTimeoutMs: number;
  /** How long a read waits for a member that has peers. @default 1000 */
  readonly attemptTimeoutMs: number;
  /** How often members are probed. @default 1000 */
  readonly probeIntervalMs: number;
}

export const DEFAULT_CLUSTER_TIMES: ClusterTimes = {
  callTimeoutMs: 5_000,
  attemptTimeoutMs: 1_000,
  probeIntervalMs: 1_000,
};

/** For how long others are asked first after a member failed. */
export const SUSPECT_MS = 5_000;

const MAX_ATTEMPTS = 4;
const RETRY_DELAY_MS = 40;
const LEADER_ROUND_MS = 300;
const LEADER_PAUSE_MS = 50;

/** A member, and the metadata for a stream to it. */
export interface Choice {
  readonly member: Member;
  readonly metadata: Metadata;
}

/** A request to any member, as a message or as bytes. */
export type ClusterCall<T> = {
  readonly attempt: Attempt;
} & (
  | { readonly service: EtcdServiceName; readonly method: string; readonly request: object }
  | { readonly encoded: EncodedCall<T> }
);

/** A cluster of at least one member. */
export class Cluster {
  readonly #members: readonly Member[];
  readonly #authenticator: Authenticator;
  readonly #times: ClusterTimes;
  readonly #prober: NodeJS.Timeout | undefined;
  #turn = 0;

  constructor(
    members: readonly Member[],
    authenticator: Authenticator,
    times: ClusterTimes = DEFAULT_CLUSTER_TIMES,
  ) {
    this.#members = members;
    this.#authenticator = authenticator;
    this.#times = times;
    if (members.length > 1) {
      this.#prober = setInterval(() => void this.#probe(), times.probeIntervalMs);
      this.#prober.unref();
    }
  }

  /** The longest a call may take, in milliseconds. */
  get callTimeoutMs(): number {
    return this.#times.callTimeoutMs;
  }

  /** Closes all connections; calls in flight fail. */
  close(): void {
    clearInterval(this.#prober);
    for (const member of this.#members) member.close();
  }

  /** Calls the members until one answers, time is up, or trying again is of no use. Rejects with a DomainError. */
  async call<T>(call: ClusterCall<T>, options: OperationOptions): Promise<T> {
    const { attempt } = call;
    const cancellation = cancellationOf(options);
    const deadline = Date.now() + this.#times.callTimeoutMs;
    const members = this.#inOrder();
    let hasRenewedToken = false;
    for (let tries = 1; ; tries++) {
      cancellation.throwIfAborted();
      const member = members[(tries - 1) % members.length];
      if (member === undefined) throw new Error('a cluster has at least one member');
      const token = await this.#authenticator.token(members, deadline);
      const answer: Answer<T> =
        token.kind === 'failed'
          ? token
          : await ask(member, call, {
              metadata: attempt.isSerializable ? token.anyMember : token.metadata,
              deadline: this.#attemptDeadline(deadline, attempt, tries),
              cancellation,
            });
      if (answer.kind === 'ok') return answer.value;
      cancellation.throwIfAborted();

      const { error } = answer;
      if (token.kind === 'ok' && isTokenRejected(error) && !hasRenewedToken) {
        hasRenewedToken = true;
        this.#authenticator.discard(token.metadata);
        continue;
      }
      if (isMembersFault(error.code)) member.suspect(SUSPECT_MS);
      const mayRepeat = isSurelyNotApplied(error) || (!attempt.isWrite && isPassing(error));
      const delayMs = RETRY_DELAY_MS * 2 ** Math.floor(tries / members.length) * Math.random();
      const isOver = tries >= Math.max(MAX_ATTEMPTS, 2 * members.length) || Date.now() + delayMs >= deadline;
      if (!mayRepeat || isOver) throw toDomainError(error, attempt);
      await sleep(delayMs, cancellation);
    }
  }

  /** Returns the member whose turn it is, and the metadata for a stream to it. Rejects with a DomainError. */
  async choose(): Promise<Choice> {
    const members = this.#inOrder();
    const [member] = members;
    if (member === undefined) throw new Error('a cluster has at least one member');
    const token = await this.#authenticator.token(members, Date.now() + this.#times.callTimeoutMs);
    if (token.kind === 'failed') throw toDomainError(token.error, { isWrite: false });
    return { member, metadata: token.metadata };
  }

  /**
   * Returns the member that leads, and the metadata for a stream to it. Where none says of itself that it leads, they are asked
   * again for one second, as long as an election takes; then it is the member whose turn it is. Rejects with a DomainError.
   */
  async chooseLeader(): Promise<Choice> {
    const untilMs = performance.now() + this.#times.attemptTimeoutMs;
    for (;;) {
      const choice = await this.choose();
      if (this.#members.length === 1 || performance.now() >= untilMs) return choice;
      const member = await this.#leader(choice.metadata);
      if (member !== undefined) return { member, metadata: choice.metadata };
      await delay(LEADER_PAUSE_MS);
    }
  }

  /** Returns the member that leads; undefined where that is not known at the moment. */
  async leader(): Promise<Member | undefined> {
    if (this.#members.length === 1) return this.#members[0];
    const token = await this.#authenticator.token(this.#members, Date.now() + LEADER_ROUND_MS);
    return token.kind === 'ok' ? this.#leader(token.metadata) : undefined;
  }

  /** Forgets a token that a stream was refused for. */
  discardToken(metadata: Metadata): void {
    this.#authenticator.discard(metadata);
  }

  /** Returns a member's version, for example "3.6.14"; undefined where it does not tell in time. */
  async versionOf(member: Member, metadata: Metadata): Promise<string | undefined> {
    const deadline = Date.now() + this.#times.attemptTimeoutMs;
    const answer = await member.call<{ readonly version: string }>(
      'Maintenance',
      'status',
      {},
      {
        metadata,
        deadline,
        cancellation: undefined,
      },
    );
    return answer.kind === 'ok' ? answer.value.version : undefined;
  }

  async #leader(metadata: Metadata): Promise<Member | undefined> {
    const leader = await findLeader(this.#members, metadata, Date.now() + LEADER_ROUND_MS);
    if (leader.kind === 'tokenRejected') this.discardToken(metadata);
    return leader.kind === 'known' ? leader.member : undefined;
  }

  /** The members, each in turn the first, those under suspicion last. */
  #inOrder(): readonly Member[] {
    const { length } = this.#members;
    if (length === 1) return this.#members;
    this.#turn = (this.#turn + 1) % length;
    const turned = [...this.#members.slice(this.#turn), ...this.#members.slice(0, this.#turn)];
    return turned.sort((a, b) => Number(a.isSuspect) - Number(b.isSuspect));
  }

  #attemptDeadline(deadline: number, { isWrite }: Attempt, tries: number): number {
    if (isWrite || this.#members.length === 1) return deadline;
    return Math.min(deadline, Date.now() + this.#times.attemptTimeoutMs * tries);
  }

  async #probe(): Promise<void> {
    const deadline = Date.now() + this.#times.attemptTimeoutMs;
    const token = await this.#authenticator.token(this.#inOrder(), deadline);
    if (token.kind === 'failed') return;
    const request = { key: Buffer.of(0), count_only: true, serializable: true };
    await Promise.all(
      this.#members.map(async (member) => {
        const answer = await member.call('KV', 'range', request, {
          metadata: token.metadata,
          deadline,
          cancellation: undefined,
        });
        if (answer.kind === 'failed' && isMembersFault(answer.error.code)) member.suspect(SUSPECT_MS);
        else member.trust();
      }),
    );
  }
}

function ask<T>(member: Member, call: ClusterCall<T>, options: MemberCall): Promise<Answer<T>> {
  return 'encoded' in call
    ? member.exchange(call.encoded, options)
    : member.call(call.service, call.method, call.request, options);
}

function isMembersFault(code: number): boolean {
  return code === Status.unavailable || code === Status.deadlineExceeded || code === Status.internal;
}

/** Waits, or rejects with why it was cancelled. */
function sleep(ms: number, cancellation: Cancellation): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      cancellation.removeEventListener('abort', stop);
      resolve();
    }, ms);
    const stop = {
      handleEvent() {
        clearTimeout(timer);
        reject(cancellation.reason);
      },
    };
    cancellation.addEventListener('abort', stop, { once: true });
  });
}
