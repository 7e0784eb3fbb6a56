import type { Http2Socket } from './http2-socket.ts';
import { connectSubscribers } from './subscriber-connection.ts';
import type { WatchCall } from './watch-call.ts';

/** Watches that are open, all of the same keys; disposing closes their connections. */
export interface Subscribers extends Disposable {
  readonly count: number;
  /**
   * Waits until every subscriber has got so many more events, of writes that begin only now.
   *
   * @param options `onEvent` is told which of these events, from 0, has come to one more subscriber. Default: nobody is told.
   * @returns when the last one came, by `performance.now()`
   * @throws Error when an event does not come or comes twice, or a watch ends; `signal.reason` on abort
   */
  receive(events: number, options?: { readonly onEvent?: (index: number) => void }): Promise<number>;
}

/** How many subscribers there are. */
export interface SubscriberShape {
  readonly connections: number;
  readonly onEach: number;
}

/** What one `receive` waits for. */
interface Delivery {
  /** How many events each subscriber had before it, and will have after it. */
  readonly from: number;
  readonly to: number;
  readonly onEvent: ((index: number) => void) | undefined;
  readonly done: PromiseWithResolvers<number>;
  /** Events of all subscribers together. */
  missing: number;
}

const TIMEOUT_MS = 30_000;

/** Opens watches; resolves when all of them are open. */
export async function openSubscribers(
  port: number,
  call: WatchCall,
  { connections, onEach }: SubscriberShape,
  { signal }: { readonly signal: AbortSignal },
): Promise<Subscribers> {
  signal.throwIfAborted();
  const count = connections * onEach;
  const sockets: Pick<Http2Socket, 'close'>[] = [];
  const { promise: failed, reject: fail } = Promise.withResolvers<never>();
  failed.catch(() => {});
  const opened = Promise.withResolvers<void>();
  let unopened = count;
  let delivery: Delivery | undefined;

  const events = {
    onOpened() {
      unopened -= 1;
      if (unopened === 0) opened.resolve();
    },
    onEvents(newEvents: number, earlier: number) {
      if (delivery === undefined || earlier + newEvents > delivery.to) {
        throw new Error('a subscriber got more events than were written');
      }
      const { from, onEvent, done } = delivery;
      if (onEvent !== undefined) {
        for (let index = 0; index < newEvents; index += 1) onEvent(earlier - from + index);
      }
      delivery.missing -= newEvents;
      if (delivery.missing === 0) done.resolve(performance.now());
    },
    onFailure(error: Error) {
      fail(new Error(`${call.path} on port ${port}: ${error.message}`, { cause: error }));
    },
  };

  async function untilLate<T>(awaited: Promise<T>, describeLate: () => string): Promise<T> {
    const timer = setTimeout(() => events.onFailure(new Error(describeLate())), TIMEOUT_MS);
    try {
      return await Promise.race([awaited, failed]);
    } finally {
      clearTimeout(timer);
    }
  }

  const abort = () => fail(signal.reason);
  signal.addEventListener('abort', abort);
  function close(): void {
    signal.removeEventListener('abort', abort);
    for (const socket of sockets) socket.close();
  }

  try {
    while (sockets.length < connections) sockets.push(await connectSubscribers(port, call, onEach, events));
    await untilLate(opened.promise, () => `${unopened} of ${count} watches did not open`);
  } catch (error) {
    close();
    throw error;
  }

  return {
    count,
    async receive(eventsEach, { onEvent } = {}) {
      const from = delivery?.to ?? 0;
      const done = Promise.withResolvers<number>();
      const total = eventsEach * count;
      const next: Delivery = { from, to: from + eventsEach, onEvent, done, missing: total };
      delivery = next;
      return untilLate(done.promise, () => `${next.missing} of ${total} events did not come`);
    },
    [Symbol.dispose]: close,
  };
}
