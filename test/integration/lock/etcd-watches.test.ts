import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HoldResponse_State as State } from '../../../gen/concord/lock/v1/lock_service_pb.ts';
import { etcdWatchMetrics, GATEWAY_WATCHES } from '../../support/etcd-watch-metrics.ts';
import { eventually } from '../../support/eventually.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import type { TestGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { holdLock, type LockHold, queueFor } from './lock-hold.ts';

const TTL = { seconds: 600n };
const WAITERS = 100;
const TIMEOUT_MS = 120_000;

let gateway: TestGateway & { readonly etcd: TestEtcd };
let clients: Clients;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
  clients = openClients(gateway.url);
  await eventually(async () => expect(await watchers()).toBe(GATEWAY_WATCHES));
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

const watchers = async () => (await etcdWatchMetrics(gateway.etcd.endpoint)).watchers;

/** How many events etcd has sent to watches since its start. */
async function eventsSent(): Promise<number> {
  const response = await fetch(`${gateway.etcd.endpoint}/metrics`, { signal: AbortSignal.timeout(30_000) });
  return Number(/^etcd_debugging_mvcc_events_total (\S+)$/m.exec(await response.text())?.[1]);
}

/** Has a lock held and waited for; resolves with the holder and those that wait, in order. */
async function fillQueue(name: string): Promise<readonly LockHold[]> {
  const holds = [await holdLock(clients, { name, ttl: TTL })];
  for (let i = 0; i < WAITERS; i++) holds.push(await queueFor(clients, { name, ttl: TTL }));
  return holds;
}

describe('those who wait for a lock', () => {
  it(
    'watch one key each, and nothing when they have gone',
    async () => {
      const holds = await fillQueue(randomUUID());
      await eventually(async () => expect(await watchers()).toBe(GATEWAY_WATCHES + WAITERS));
      await Promise.all(holds.toReversed().map((hold) => hold[Symbol.asyncDispose]()));
      await eventually(async () => expect(await watchers()).toBe(GATEWAY_WATCHES));
    },
    TIMEOUT_MS,
  );

  it(
    'are woken one at a time: all that etcd tells grows with their number, not with its square',
    async () => {
      const holds = await fillQueue(randomUUID());
      await eventually(async () => expect(await watchers()).toBe(GATEWAY_WATCHES + WAITERS));
      const sentBefore = await eventsSent();
      for (const hold of holds) {
        await hold.reaches(State.ACQUIRED);
        await hold[Symbol.asyncDispose]();
      }
      // For each one: its place is gone, which one who waits is told, and its session's record, which its gateway is.
      expect((await eventsSent()) - sentBefore).toBeLessThan(5 * WAITERS);
    },
    TIMEOUT_MS,
  );
});
