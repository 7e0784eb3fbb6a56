// Runs a random history on a hub, with a witness beside every follower.

import { expect } from 'vitest';
import { DomainError } from '../../../src/domain/errors.ts';
import { createBatchedWatch, oneByOne, type Watch } from '../../../src/domain/watch/watch.ts';
import { WatchHub } from '../../../src/domain/watch/watch-hub.ts';
import { FakeClock } from './fake-clock.ts';
import { FakeStore } from './fake-store.ts';
import { FakeWatchSource } from './fake-watch-source.ts';
import { Follower } from './follower.ts';
import { type JoinOptions, LARGE_VALUE, type Schedule, type Step, type WriteStep } from './schedule.ts';
import { settled } from './settled.ts';

const MAX_FOLLOWERS = 8;
/** So often everything is told, at most, before all must have caught up. */
const MAX_ROUNDS = 1_000;

/** Runs a history; then all is mended, and every follower must reach the end, and leave nothing behind. */
export async function runSchedule(schedule: Schedule): Promise<RunCounts> {
  const run = new Run(schedule);
  for (const follower of schedule.followers) await run.take({ kind: 'join', follower });
  for (const step of schedule.steps) {
    await run.take(step);
    run.check();
  }
  await run.finish();
  return run.counts();
}

/** What a run came across, so that a test can see that it came across enough. */
export interface RunCounts {
  readonly tooSlow: number;
  readonly resyncs: number;
  readonly differences: number;
  readonly messages: number;
}

class Run {
  readonly #schedule: Schedule;
  readonly #store = new FakeStore();
  readonly #source = new FakeWatchSource(this.#store);
  readonly #clock = new FakeClock();
  readonly #followers: Follower[] = [];
  readonly #left: Follower[] = [];
  readonly #leases = [this.#store.grant(), this.#store.grant()];
  #hub: WatchHub;
  #watch: Watch;
  #areLookupsCertain = true;

  constructor(schedule: Schedule) {
    this.#schedule = schedule;
    this.#hub = this.#openHub();
    this.#watch = oneByOne(createBatchedWatch(this.#hub, this.#store));
  }

  async take(step: Step): Promise<void> {
    switch (step.kind) {
      case 'commit':
        for (let i = 0; i < step.times; i++) {
          this.#store.commit(step.writes.map((write) => this.#writeOf(write)));
        }
        return;
      case 'endLease': {
        const slot = step.at % this.#leases.length;
        this.#store.endLease(this.#leases[slot] ?? 0n);
        this.#leases[slot] = this.#store.grant();
        return;
      }
      case 'compact':
        this.#store.compact(this.#store.revision - BigInt(step.behind));
        return;
      case 'join':
        this.#join(step.follower);
        return;
      case 'allow':
        pick(this.#followers, step.at)?.allow(step.count);
        return;
      case 'stall':
        pick(this.#followers, step.at)?.stall();
        return;
      case 'connectAll':
        for (const follower of this.#followers) follower.connect(this.#watch);
        return;
      case 'disconnect':
        await pick(this.#followers, step.at)?.disconnect();
        return;
      case 'leave': {
        const follower = pick(this.#followers, step.at);
        if (follower === undefined) return;
        this.#followers.splice(this.#followers.indexOf(follower), 1);
        this.#left.push(follower);
        await follower.disconnect();
        return;
      }
      case 'tell':
        pick(this.#source.watches, step.at)?.tell(step.limit, { isUnderWay: step.isUnderWay });
        return;
      case 'tellProgress':
        pick(this.#source.watches, step.at)?.tellProgress();
        return;
      case 'cut':
        pick(this.#source.watches, step.at)?.cut();
        return;
      case 'reconnect':
        pick(this.#source.watches, step.at)?.reconnect();
        return;
      case 'fail':
        pick(this.#source.watches, step.at)?.fail(new DomainError('STORE_PERMISSION_DENIED', 'Not yours'));
        return;
      case 'tellAll':
        this.#source.tellAll();
        return;
      case 'restart':
        this.#hub[Symbol.dispose]();
        this.#hub = this.#openHub();
        this.#watch = oneByOne(createBatchedWatch(this.#hub, this.#store));
        return;
      case 'setFailing':
        this.#store.isFailing = step.isFailing;
        if (step.isFailing) this.#doubtLookups();
        return;
      case 'hold':
        this.#store.hold(step.point);
        return;
      case 'letGo':
        this.#store.letGo(step.point);
        return;
      case 'wait':
        await settled();
        this.#clock.advance(step.ms);
        await settled();
        this.#clock.advance(0);
        this.#checkMemory();
        return;
      case 'settle':
        await settled();
        return;
      default:
        return step satisfies never;
    }
  }

  check(): void {
    for (const { mistake } of [...this.#followers, ...this.#left]) if (mistake !== undefined) throw mistake;
    const { channels, subscriptions } = this.#hub.stats();
    expect(this.#source.watches.length, 'no watch without a channel').toBeLessThanOrEqual(channels);
    if (subscriptions === 0) expect(channels, 'no channel without a subscriber').toBe(0);
    this.#checkTooSlow();
  }

  async finish(): Promise<void> {
    this.#mend();
    await settled();
    // Those that wait to try again may.
    this.#clock.advance(500);
    await this.#tellEverything();
    for (const { witness } of this.#followers) {
      witness.settleResync();
      const { position, expected } = witness;
      if (position === undefined) throw new Error('a follower heard nothing');
      const missing = expected.certainBetween(position, this.#store.revision);
      expect(missing, 'changes that nobody was woken for').toEqual([]);
    }
    this.#clock.advance(20_000);
    await settled();
    this.check();
    for (const { witness } of this.#followers) {
      expect(witness.position, 'the last checkpoint').toBe(this.#store.revision);
    }
    await Promise.all(this.#followers.map((follower) => follower.disconnect()));
    expect(this.#hub.stats()).toEqual({ subscriptions: 0, channels: 0, historyBytes: 0 });
    expect(this.#source.watches, 'watches left').toEqual([]);
    expect(this.#clock.pendingTimers, 'timers left').toBe(0);
  }

  counts(): RunCounts {
    const all = [...this.#followers, ...this.#left];
    const messages = all.flatMap((follower) => follower.messages);
    const resyncs = messages.filter(({ kind }) => kind === 'resync');
    return {
      tooSlow: all.flatMap(({ ends }) => ends).filter(({ reason }) => reason === 'WATCH_TOO_SLOW').length,
      resyncs: resyncs.length,
      differences: resyncs.filter((message) => 'changes' in message && message.changes !== undefined).length,
      messages: messages.length,
    };
  }

  #openHub(): WatchHub {
    const deps = { store: this.#store, leases: this.#store, source: this.#source, clock: this.#clock };
    return new WatchHub(deps, this.#schedule.options);
  }

  #writeOf({ key, value, lease }: WriteStep): Parameters<FakeStore['commit']>[0][number] {
    if (value === undefined) return { kind: 'delete', key };
    return {
      kind: 'put',
      key,
      value: value === 'large' ? LARGE_VALUE : value,
      lease: lease === undefined ? 0n : (this.#leases[lease] ?? 0n),
    };
  }

  #join({ behind, isSlow, ...options }: JoinOptions): void {
    if (this.#followers.length >= MAX_FOLLOWERS) return;
    const revision = this.#store.revision - BigInt(behind ?? 0);
    const start =
      behind === undefined
        ? { kind: 'now' as const }
        : { kind: 'revision' as const, revision: revision < 1n ? 1n : revision };
    const follower = new Follower(this.#store, { ...options, start });
    follower.allow(isSlow ? 2 : Number.POSITIVE_INFINITY);
    follower.witness.expected.areLookupsCertain = this.#areLookupsCertain;
    follower.connect(this.#watch);
    this.#followers.push(follower);
  }

  #doubtLookups(): void {
    this.#areLookupsCertain = false;
    for (const { witness } of this.#followers) witness.expected.areLookupsCertain = false;
  }

  #mend(): void {
    this.#store.isFailing = false;
    for (const point of ['read', 'answer', 'lease'] as const) this.#store.letGo(point);
    for (const follower of this.#followers) follower.allow(Number.POSITIVE_INFINITY);
  }

  /** Tells all that there is, until nobody is away or catching up any more. No time passes. */
  async #tellEverything(): Promise<void> {
    for (let quietRounds = 0, rounds = 0; quietRounds < 3; rounds++) {
      expect(rounds, 'it comes to rest').toBeLessThan(MAX_ROUNDS);
      const before = this.#progress();
      for (const follower of this.#followers) follower.connect(this.#watch);
      await settled();
      for (const each of this.#source.watches) each.reconnect();
      this.#source.tellAll();
      await settled();
      this.#clock.advance(0);
      await settled();
      this.check();
      quietRounds = this.#progress() === before ? quietRounds + 1 : 0;
    }
  }

  #progress(): string {
    const { watches, openedCount } = this.#source;
    const places = [...watches.map(({ nextRevision }) => nextRevision), openedCount];
    return [...places, ...this.#followers.map(({ messages }) => messages.length)].join();
  }

  /** It evicts in a turn of its own, so that those whom the news woke read it first. */
  #checkMemory(): void {
    const { historyBytes } = this.#hub.stats();
    expect(historyBytes).toBeGreaterThanOrEqual(0);
    expect(historyBytes).toBeLessThanOrEqual(this.#schedule.options.historyBytes);
  }

  /** Nobody is too slow where there is memory for all. */
  #checkTooSlow(): void {
    if (this.#schedule.isLarge || this.#schedule.options.historyBytes < 1_000_000) return;
    const tooSlow = this.#followers.flatMap(({ ends }) =>
      ends.filter(({ reason }) => reason === 'WATCH_TOO_SLOW'),
    );
    expect(tooSlow, 'too slow although there is memory').toEqual([]);
  }
}

function pick<T>(from: readonly T[], at: number): T | undefined {
  return from.length === 0 ? undefined : from[at % from.length];
}
