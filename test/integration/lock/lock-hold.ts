import { expect } from 'vitest';
import {
  type HoldResponse,
  HoldResponse_State as State,
} from '../../../gen/concord/lock/v1/lock_service_pb.ts';
import { type Collected, collect } from '../../support/collect.ts';
import { eventually } from '../../support/eventually.ts';
import { type Failure, failureOf } from '../../support/failure-of.ts';
import type { Clients } from '../../support/open-clients.ts';

/** A Hold that is open. Disposing ends it. */
export interface LockHold extends Collected<HoldResponse> {
  /** What came last; throws where nothing came. */
  readonly last: HoldResponse;
  /** Resolves with the first message of a state. */
  reaches(state: State, timeoutMs?: number): Promise<HoldResponse>;
  /** Resolves when so many further messages came. */
  goesOn(messages: number): Promise<void>;
  /** Resolves when the stream has ended after STATE_LOST. */
  isLost(): Promise<void>;
  /** Resolves with what the stream failed with. */
  failure(): Promise<Failure>;
}

/** Opens a Hold. */
export function openLockHold({ locks }: Clients, request: Parameters<Clients['locks']['hold']>[0]): LockHold {
  const controller = new AbortController();
  const stream = collect(locks.hold(request, { signal: controller.signal }), controller);
  const ended = (timeoutMs?: number) =>
    eventually(() => {
      if (stream.end === undefined) throw new Error('the stream goes on');
      return stream.end;
    }, timeoutMs);
  return {
    get messages() {
      return stream.messages;
    },
    get end() {
      return stream.end;
    },
    get last() {
      const last = stream.messages.at(-1);
      if (last === undefined) throw new Error('nothing came');
      return last;
    },
    find: stream.find,
    reaches: (state, timeoutMs = 30_000) => stream.find((message) => message.state === state, { timeoutMs }),
    async goesOn(messages) {
      const { length } = stream.messages;
      await eventually(
        () => expect(stream.messages.length).toBeGreaterThanOrEqual(length + messages),
        60_000,
      );
    },
    async isLost() {
      expect(await ended(30_000)).toEqual({ error: undefined });
      expect(stream.messages.at(-1)).toMatchObject({ state: State.LOST, fencingToken: 0n, position: 0 });
    },
    failure: async () => failureOf(Promise.reject((await ended(30_000)).error)),
    [Symbol.asyncDispose]: () => stream[Symbol.asyncDispose](),
  };
}

/** Opens a Hold, and resolves when it holds the lock. */
export async function holdLock(
  clients: Clients,
  request: Parameters<Clients['locks']['hold']>[0],
): Promise<LockHold> {
  const hold = openLockHold(clients, request);
  await hold.reaches(State.ACQUIRED);
  return hold;
}

/** Opens a Hold, and resolves when it waits for the lock. */
export async function queueFor(
  clients: Clients,
  request: Parameters<Clients['locks']['hold']>[0],
): Promise<LockHold> {
  const hold = openLockHold(clients, request);
  await hold.reaches(State.QUEUED);
  return hold;
}
