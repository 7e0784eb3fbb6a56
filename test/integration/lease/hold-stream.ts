import { setTimeout as delay } from 'node:timers/promises';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { expect } from 'vitest';
import type { HoldResponse } from '../../../gen/concord/lease/v1/lease_service_pb.ts';
import { type Collected, collect } from '../../support/collect.ts';
import { eventually } from '../../support/eventually.ts';
import { type Failure, failureOf } from '../../support/failure-of.ts';
import type { Clients } from '../../support/open-clients.ts';

/** A Hold that is open. */
export interface HoldStream extends Collected<HoldResponse> {
  /** What came first. */
  readonly first: HoldResponse;
  /** What came last. */
  readonly last: HoldResponse;
  /** Resolves when so many further messages came: each says that the lease was renewed. */
  renewed(times: number): Promise<void>;
  /** Resolves with what the stream failed with. */
  failure(timeoutMs?: number): Promise<Failure>;
}

/** Opens a Hold; resolves with its first message. Rejects where it fails before. */
export async function openHold(
  { leases }: Clients,
  request: Parameters<Clients['leases']['hold']>[0],
): Promise<HoldStream> {
  const controller = new AbortController();
  const stream = collect(leases.hold(request, { signal: controller.signal }), controller);
  const first = await stream.find(() => true);
  return {
    first,
    get messages() {
      return stream.messages;
    },
    get end() {
      return stream.end;
    },
    get last() {
      return stream.messages.at(-1) ?? first;
    },
    find: stream.find,
    async renewed(times) {
      const { length } = stream.messages;
      await eventually(() => expect(stream.messages.length).toBeGreaterThanOrEqual(length + times), 60_000);
    },
    async failure(timeoutMs = 30_000) {
      const untilMs = performance.now() + timeoutMs;
      while (stream.end === undefined && performance.now() < untilMs) await delay(10);
      if (stream.end === undefined) throw new Error(`the stream goes on after ${timeoutMs} ms`);
      return failureOf(Promise.reject(stream.end.error));
    },
    [Symbol.asyncDispose]: () => stream[Symbol.asyncDispose](),
  };
}

/** The times that the messages of a Hold gave, in milliseconds since 1970. */
export function expireTimesOf({ messages }: HoldStream): readonly number[] {
  return messages.map(({ expireTime }) => (expireTime === undefined ? 0 : timestampMs(expireTime)));
}
