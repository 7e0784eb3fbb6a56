import type { ConnectError } from '@connectrpc/connect';
import type { RpcCall } from './rpc-call.ts';

/** How much later than its deadline a call may be stopped, in milliseconds. */
const TICK_MS = 10;
/** The one timer goes on for so many ticks without a call, so that lone calls do not start it each time. */
const IDLE_TICKS = 100;

/** Returns what a call fails with whose time is over. */
export type Overdue = () => ConnectError;

/**
 * Stops calls at their deadlines, with one timer for all of them: a wheel whose slots are 10 ms.
 *
 * A call is stopped at its deadline or at most a slot later, never before. There is no timer while there are no calls.
 */
export class Deadlines {
  /** By the number of their slot. */
  readonly #slots = new Map<number, Map<RpcCall, Overdue>>();
  readonly #slotOf = new Map<RpcCall, number>();
  #timer: NodeJS.Timeout | undefined;
  /** The first one whose time has not come. */
  #nextSlot = 0;
  #idleTicks = 0;

  /** Stops `call` with what `overdue` returns, `timeoutMs` from now, unless it is deleted before; a second call replaces the first. */
  set(call: RpcCall, timeoutMs: number, overdue: Overdue): void {
    this.delete(call);
    this.#run();
    const slot = Math.max(this.#nextSlot, Math.ceil((performance.now() + timeoutMs) / TICK_MS));
    const calls = this.#slots.get(slot);
    if (calls === undefined) this.#slots.set(slot, new Map([[call, overdue]]));
    else calls.set(call, overdue);
    this.#slotOf.set(call, slot);
  }

  /** Forgets a call. */
  delete(call: RpcCall): void {
    const slot = this.#slotOf.get(call);
    if (slot === undefined) return;
    this.#slotOf.delete(call);
    const calls = this.#slots.get(slot);
    calls?.delete(call);
    // Its time may be weeks away.
    if (calls?.size === 0) this.#slots.delete(slot);
  }

  #run(): void {
    if (this.#timer !== undefined) return;
    this.#idleTicks = 0;
    this.#nextSlot = Math.floor(performance.now() / TICK_MS);
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
  }

  #tick(): void {
    const slot = Math.floor(performance.now() / TICK_MS);
    const firstSlot = this.#nextSlot;
    this.#nextSlot = slot + 1;
    for (let each = firstSlot; each <= slot; each += 1) {
      const calls = this.#slots.get(each);
      this.#slots.delete(each);
      for (const [call, overdue] of calls ?? []) {
        this.#slotOf.delete(call);
        call.stop(overdue());
      }
    }
    this.#idleTicks = this.#slotOf.size === 0 ? this.#idleTicks + 1 : 0;
    if (this.#idleTicks < IDLE_TICKS) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
