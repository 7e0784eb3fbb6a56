import { ENVELOPE_BYTES, envelop, findMessageEnd } from './envelope.ts';
import { describeFields, expectField } from './hpack-decoder.ts';
import {
  encodeFirstHeaders,
  encodeFrame,
  FLAG,
  FRAME,
  FURTHER_HEADERS,
  INITIAL_SEND_WINDOW_BYTES,
} from './http2-frames.ts';
import { HOST, type Http2Socket, openHttp2Socket } from './http2-socket.ts';
import type { WatchCall } from './watch-call.ts';

/** What comes to the subscribers of one connection. */
export interface SubscriberEvents {
  /** One more watch is open. */
  onOpened(): void;
  /** One subscriber, which had `earlier` events, got `count` more in one message. */
  onEvents(count: number, earlier: number): void;
  /** The connection is of no use any more, a watch has ended, or what came is not what was written. */
  onFailure(error: Error): void;
}

interface Subscriber {
  /** Whether what it gets is read whole and held to the order of revisions. */
  readonly isSample: boolean;
  isOpen: boolean;
  events: number;
  lastRevision: bigint | undefined;
  /** What came of a message that is not whole yet. */
  rest: Buffer;
}

const NOTHING = Buffer.alloc(0);

/**
 * Opens so many watches on one connection of HTTP/2, each a call of its own. Of what they get, only the events are counted; what
 * the first one gets is read whole.
 */
export async function connectSubscribers(
  port: number,
  call: WatchCall,
  count: number,
  events: SubscriberEvents,
): Promise<Pick<Http2Socket, 'close'>> {
  const subscribers = Array.from({ length: count }, (_, index): Subscriber => {
    return { isSample: index === 0, isOpen: false, events: 0, lastRevision: undefined, rest: NOTHING };
  });
  const socket = await openHttp2Socket(port, {
    onData: readData,
    onHeaders(fields, flags, streamId) {
      if (flags & FLAG.endStream) throw new Error(`watch ${streamId} ended: ${describeFields(fields)}`);
      expectField(fields, ':status', '200');
    },
    onReset(streamId, code) {
      throw new Error(`watch ${streamId} was reset with code ${code}`);
    },
    onFailure: events.onFailure,
  });
  sendRequests();

  function sendRequests(): void {
    const message = envelop(call.request);
    if (count * message.length > INITIAL_SEND_WINDOW_BYTES) {
      throw new Error(`${count} requests of ${message.length} bytes are more than may be sent at once`);
    }
    const flags = call.isRequestLast ? FLAG.endStream : 0;
    for (let index = 0; index < count; index += 1) {
      const headers = index === 0 ? encodeFirstHeaders(call.path, `${HOST}:${port}`) : FURTHER_HEADERS;
      socket.push(encodeFrame(FRAME.headers, FLAG.endHeaders, streamIdOf(index), headers));
      socket.push(encodeFrame(FRAME.data, flags, streamIdOf(index), message));
    }
    socket.flush();
  }

  function readData(bytes: Buffer, start: number, end: number, _flags: number, streamId: number): void {
    const subscriber = subscribers[indexOf(streamId)];
    if (subscriber === undefined) throw new Error(`data on stream ${streamId}, which has no watch`);
    if (subscriber.rest.length === 0) {
      readMessages(subscriber, bytes, start, end);
    } else {
      const joined = Buffer.concat([subscriber.rest, bytes.subarray(start, end)]);
      readMessages(subscriber, joined, 0, joined.length);
    }
  }

  function readMessages(subscriber: Subscriber, bytes: Buffer, start: number, end: number): void {
    let offset = start;
    for (;;) {
      const messageEnd = findMessageEnd(bytes, offset, end);
      if (messageEnd === undefined) break;
      readMessage(subscriber, bytes, offset + ENVELOPE_BYTES, messageEnd);
      offset = messageEnd;
    }
    subscriber.rest = offset === end ? NOTHING : Buffer.from(bytes.subarray(offset, end));
  }

  function readMessage(subscriber: Subscriber, bytes: Buffer, start: number, end: number): void {
    if (!subscriber.isOpen) {
      call.checkFirst(bytes.subarray(start, end));
      subscriber.isOpen = true;
      events.onOpened();
      return;
    }
    const count = call.countEvents(bytes, start, end);
    if (subscriber.isSample) checkEvents(subscriber, bytes.subarray(start, end), count);
    const earlier = subscriber.events;
    subscriber.events += count;
    if (count > 0) events.onEvents(count, earlier);
  }

  function checkEvents(subscriber: Subscriber, message: Buffer, count: number): void {
    const revisions = call.readRevisions(message);
    if (revisions.length !== count) throw new Error(`${revisions.length} events were counted as ${count}`);
    for (const revision of revisions) {
      const { lastRevision = revision - 1n } = subscriber;
      // Others may write elsewhere meanwhile: what is missing is told by the count.
      if (revision <= lastRevision) throw new Error(`revision ${revision} came after ${lastRevision}`);
      subscriber.lastRevision = revision;
    }
  }

  return socket;
}

function streamIdOf(index: number): number {
  return 2 * index + 1;
}

function indexOf(streamId: number): number {
  return streamId >> 1;
}
