// One of many who raise counters under locks, whatever happens to the gateways that they call.

import { setTimeout as delay } from 'node:timers/promises';
import { HoldResponse_State as State } from '../../../gen/concord/lock/v1/lock_service_pb.ts';
import { failureOf } from '../../support/failure-of.ts';
import type { Clients } from '../../support/open-clients.ts';
import { counterKey } from './lock-history.ts';

/** What became of one write. */
export interface CountedWrite {
  readonly name: string;
  readonly token: bigint;
  readonly value: number;
  /** `lost`: its token did not hold the lock any more; nothing was written. */
  readonly outcome: 'acknowledged' | 'unknown' | 'lost';
}

/** A client at work. */
export interface CountingClient {
  /** Of the lock that it counts under. */
  readonly name: string;
  /** Of each gateway; those after the first where one fails. */
  readonly gateways: readonly Clients[];
  /** Asked before each round. */
  readonly goesOn: () => boolean;
  readonly wrote: (write: CountedWrite) => void;
}

const TTL = { seconds: 3n };
const WAIT_MS = 60_000;
const CALL_TIMEOUT_MS = 10_000;
const REST_MS = 50;

/** Acquires the lock by one rpc and by the other, raises the counter, and releases the lock, over and over. */
export async function runCountingClient({ name, gateways, goesOn, wrote }: CountingClient): Promise<void> {
  let turn = 0;
  for (let round = 0; goesOn(); round++) {
    const clients = gateways[turn % gateways.length];
    if (clients === undefined) throw new Error('there is no gateway');
    const raise = async (token: bigint) => wrote(await raiseCounter(clients, name, token));
    try {
      await (round % 2 === 0 ? byAcquire(clients, name, raise) : byHold(clients, name, raise));
    } catch {
      // Whatever failed, the lease of the round ends by itself.
      turn += 1;
      await delay(REST_MS);
    }
  }
}

async function byAcquire(
  { locks }: Clients,
  name: string,
  raise: (token: bigint) => Promise<void>,
): Promise<void> {
  const { fencingToken } = await locks.acquire({ name, ttl: TTL }, { timeoutMs: WAIT_MS });
  await raise(fencingToken);
  await locks.release({ name, fencingToken }, { timeoutMs: CALL_TIMEOUT_MS });
}

async function byHold(
  { locks }: Clients,
  name: string,
  raise: (token: bigint) => Promise<void>,
): Promise<void> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), WAIT_MS);
  try {
    for await (const { state, fencingToken } of locks.hold(
      { name, ttl: TTL },
      { signal: controller.signal },
    )) {
      if (state !== State.ACQUIRED) continue;
      await raise(fencingToken);
      return;
    }
  } finally {
    clearTimeout(timer);
    controller.abort();
  }
}

async function raiseCounter({ kv }: Clients, name: string, token: bigint): Promise<CountedWrite> {
  const key = counterKey(name);
  const { kvs } = await kv.batchGet({ keys: [key] }, { timeoutMs: CALL_TIMEOUT_MS });
  const value = Number(kvs[0]?.value ?? 0) + 1;
  const fence = { holder: { case: 'lock', value: name }, token } as const;
  const put = kv.put({ key, value: String(value), fence }, { timeoutMs: CALL_TIMEOUT_MS });
  return { name, token, value, outcome: await outcomeOf(put) };
}

async function outcomeOf(put: Promise<unknown>): Promise<CountedWrite['outcome']> {
  try {
    await put;
    return 'acknowledged';
  } catch (error) {
    // A connection that broke gives no reason.
    const { reason } = await failureOf(Promise.reject(error)).catch(() => ({ reason: '' }));
    return reason === 'FENCE_LOST' ? 'lost' : 'unknown';
  }
}
