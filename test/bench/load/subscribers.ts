import type { Http2Socket } from './http2-socket.ts';
import { connectSubscribers } from './subscriber-connection.ts';
import type { WatchCall } from './watch-call.ts';

/** Watches that are open, all of the same keys. */
export interface Subscribers extends Disposable {
  readonly count: number;
  /**
   * Waits until every subscriber has got so many more events, which are still to be written.
   *
   * @param options `onEvent` is told which of the events, from 0, has come to one more subscriber. Default: nobody is.
   * @returns when the last one came, by `performance.now()`
   * @throws Error when an event is lost, or comes twice, or a watch ends; `signal.reason` on abort
   */
  receive(events: number, options?: { readonly onEvent?: (index: number) => void }): Promise<number>;
}

/** How many subscribers there are. */
export interface SubscriberShape {
  readonly connections: number;
  readonly onEach: number;
}

const OPEN_TIMEOUT_MS = 30_000;
const RECEIVE_TIMEOUT_MS = 30_000;

/** Opens watches; resolves when all of them are open. */
export async function openSubscribers(
  port: number,
  call: WatchCall,
  shape: SubscriberShape,
  { signal }: { readonly signal: AbortSignal },
): Promise<Subscribers> {
  signal.throwIfAborted();
  const count = shape.connections * shape.onEach;
  const sockets: Pick<Http2Socket, 'close'>[] = [];
  const { promise: failed, reject: fail } = Promise.withResolvers<never>();
  failed.catch(() => {});
  const opened = Promise.withResolvers<void>();
  let stillToOpen = count;
  /** Events that each subscriber got, or is to get by the end of the present `receive`. */
  let expectedOfEach = 0;
  let missing = 0;
  let received = Promise.withResolvers<number>();
  let eventsBefore = 0;
  let tell: ((index: number) => void) | undefined;

  const events = {
    onOpened() {
      stillToOpen -= 1;
      if (stillToOpen === 0) opened.resolve();
    },
    onEvents(newEvents: number, earlier: number) {
      if (earlier + newEvents > expectedOfEach) throw new Error('a subscriber got an event twice');
      if (tell !== undefined) {
        for (let index = 0; index < newEvents; index += 1) tell(earlier + index - eventsBefore);
      }
      missing -= newEvents;
      if (missing === 0) received.resolve(performance.now());
    },
    onFailure(error: Error) {
      fail(new Error(`${call.path} on port ${port}: ${error.message}`, { cause: error }));
    },
  };

  async function within<T>(ms: number, awaited: Promise<T>, describe: () => string): Promise<T> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new Error(describe())), ms);
    try {
      return await Promise.race([awaited, failed, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  function close(): void {
    signal.removeEventListener('abort', abort);
    for (const socket of sockets) socket.close();
  }

  const abort = () => fail(signal.reason);
  signal.addEventListener('abort', abort);
  try {
    for (let index = 0; index < shape.connections; index += 1) {
      sockets.push(await connectSubscribers(port, call, shape.onEach, events));
    }
    await within(OPEN_TIMEOUT_MS, opened.promise, () => `${stillToOpen} of ${count} watches did not open`);
  } catch (error) {
    close();
    throw error;
  }

  return {
    count,
    async receive(eventsEach, { onEvent } = {}) {
      eventsBefore = expectedOfEach;
      expectedOfEach += eventsEach;
      missing = eventsEach * count;
      received = Promise.withResolvers();
      tell = onEvent;
      const describe = () =>
        `${call.path} on port ${port}: ${missing} of ${eventsEach * count} events are lost`;
      return within(RECEIVE_TIMEOUT_MS, received.promise, describe);
    },
    [Symbol.dispose]: close,
  };
}
