import type { Call, CallConnection, CallEvents, Connector } from './call.ts';
import { envelop } from './envelope.ts';
import { connectHttp2Calls } from './http2-calls.ts';

/** Encodes a call's requests; what it gives opens HTTP/2 connections for them. */
export function createHttp2Connector(port: number, { path, requests }: Call): Connector {
  const bodies = requests.map(envelop);
  return (events) => connectHttp2(port, path, bodies, events);
}

async function connectHttp2(
  port: number,
  path: string,
  bodies: readonly Buffer[],
  events: CallEvents,
): Promise<CallConnection> {
  const calls = await connectHttp2Calls<number>(port, {
    onAnswer: (index, message, sentAtMs) => events.onAnswer({ index, sentAtMs }, message),
    onFailure: events.onFailure,
  });
  return {
    send(index) {
      const body = bodies[index];
      if (body === undefined) throw new Error(`there is no request ${index}`);
      calls.send(path, body, index);
    },
    flush: calls.flush,
    close: calls.close,
  };
}
