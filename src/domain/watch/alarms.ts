import type { Clock } from '../clock.ts';
import { type Due, DueQueue } from '../due-queue.ts';

/** Tells any number of things that their time has come, with one timer for all of them; none while nothing is to be told. */
export class Alarms<T extends Due> {
  readonly #queue = new DueQueue<T>();
  readonly #clock: Clock;
  readonly #ring: (item: T) => void;
  #rung: T[] = [];
  #timer: { readonly atMs: number; readonly cancel: () => void } | undefined;

  /** @param ring is called for each whose time has come, for all of them in one go. */
  constructor(clock: Clock, ring: (item: T) => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** Sets the alarm of `item` to a time of the clock; it has one at most. */
  set(item: T, atMs: number): void {
    this.#queue.set(item, atMs);
    this.#setTimer();
  }

  /** Takes it back, if it has one. */
  delete(item: T): void {
    this.#queue.delete(item);
    if (this.#queue.size === 0) this.#stopTimer();
  }

  /** Rings for `item` without waiting for its time, once all is there that has come by now. It may ring for one twice. */
  ringSoon(item: T): void {
    if (this.#rung.push(item) > 1) return;
    this.#clock.soon(() => {
      const rung = this.#rung;
      this.#rung = [];
      for (const each of rung) this.#ring(each);
    });
  }

  /** A timer that runs out too soon, for one that was taken back, is left as it is. */
  #setTimer(): void {
    const { first } = this.#queue;
    if (first === undefined || (this.#timer !== undefined && this.#timer.atMs <= first.dueMs)) return;
    this.#stopTimer();
    const atMs = first.dueMs;
    const cancel = this.#clock.after(Math.max(0, atMs - this.#clock.now()), () => this.#tick());
    this.#timer = { atMs, cancel };
  }

  #stopTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #tick(): void {
    this.#timer = undefined;
    const nowMs = this.#clock.now();
    for (let { first } = this.#queue; first !== undefined && first.dueMs <= nowMs; { first } = this.#queue) {
      this.#queue.delete(first);
      this.ringSoon(first);
    }
    this.#setTimer();
  }
}
