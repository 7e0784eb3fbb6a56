import { FakeClock } from '../watch/fake-clock.ts';

/** A fake clock of a process that can be stopped: while it is, time passes and no timer runs. */
export class FreezingClock extends FakeClock {
  #thawedMs = 0;
  /** The longest timer that was set. */
  longestMs = 0;

  override now(): number {
    return Math.max(super.now(), this.#thawedMs);
  }

  override after(ms: number, run: () => void): () => void {
    this.longestMs = Math.max(this.longestMs, ms);
    return super.after(ms + this.now() - super.now(), run);
  }

  /** Stops the process for so long. What came due meanwhile has not run yet: {@link FreezingClock.thaw} runs it. */
  freeze(ms: number): void {
    this.#thawedMs = this.now() + ms;
  }

  /** Runs what is overdue. */
  thaw(): void {
    this.advance(this.now() - super.now());
  }
}
