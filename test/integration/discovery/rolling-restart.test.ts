import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Code, ConnectError } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Change_Type, WatchResponse_Kind } from '../../../gen/concord/discovery/v1/discovery_service_pb.ts';
import { eventually } from '../../support/eventually.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { type RunningConcord, runConcord } from '../../support/run-concord.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { type AttachedProcess, startAttachedProcess } from './attached-process.ts';
import { duration, instanceOf } from './watch-reasons.ts';

const COUNT = 50;
const GRACE_MS = 15_000;
const PAUSE_MS = 50;
const NAMES = Array.from({ length: COUNT }, (_, i) => `i${i}`);
const serviceOf = () => `rolling-${randomUUID()}`;

describe('a watching client', { timeout: 300_000 }, () => {
  let etcd: TestEtcd;
  let gateways: RunningConcord[] = [];

  beforeAll(async () => {
    etcd = await startEtcd();
    gateways = await Promise.all([0, 1, 2].map(startReplica));
  });

  afterAll(async () => {
    await Promise.all(gateways.map((gateway) => gateway[Symbol.asyncDispose]()));
    await etcd?.stop();
  });

  function startReplica(): Promise<RunningConcord> {
    return runConcord({ env: { ETCD_ENDPOINTS: etcd.endpoint } });
  }

  /** The gateway that a client comes to: the next one, whenever one fails. */
  function discoveryAt(attempt: number): Clients['discovery'] {
    return openClients(gateways[attempt % gateways.length]?.url ?? '').discovery;
  }

  /** Calls again and again, until it ends by itself; each call is given a token of the one before. */
  async function persist(
    first: number,
    signal: AbortSignal,
    stream: (
      discovery: Clients['discovery'],
      remember: (token: string) => void,
      token: string,
    ) => Promise<void>,
    faults: string[],
  ): Promise<void> {
    let token = '';
    const remember = (next: string) => {
      token = next;
    };
    for (let attempt = first; !signal.aborted; attempt++) {
      try {
        await stream(discoveryAt(attempt), remember, token);
      } catch (error) {
        const { code, message } = ConnectError.from(error);
        if (![Code.Unavailable, Code.Canceled, Code.Aborted].includes(code)) faults.push(message);
      }
      if (!signal.aborted) await delay(PAUSE_MS);
    }
  }

  /** Watches as a client does that goes on at another gateway, and keeps the lowest count that it ever had once `isCounting`. */
  function startCounting(service: string, signal: AbortSignal, faults: string[]) {
    const present = new Set<string>();
    const counted = { lowest: Number.POSITIVE_INFINITY, present, changes: 0, isCounting: false };
    const ended = persist(
      0,
      signal,
      async (discovery, remember, resumeToken) => {
        for await (const message of discovery.watch({ service, resumeToken }, { signal })) {
          if (message.kind === WatchResponse_Kind.SNAPSHOT)
            for (const { instanceId } of message.instances) present.add(instanceId);
          for (const { type, instance } of message.changes) {
            const isGone = type === Change_Type.UNREGISTERED || type === Change_Type.EXPIRED;
            if (isGone) present.delete(instance?.instanceId ?? '');
            else present.add(instance?.instanceId ?? '');
            counted.changes += 1;
          }
          remember(message.resumeToken);
          if (counted.isCounting) counted.lowest = Math.min(counted.lowest, present.size);
        }
      },
      faults,
    );
    return Object.assign(counted, { ended });
  }

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'keeps all instances that are attached while each gateway in turn is restarted by %s',
    async (signalName) => {
      const service = serviceOf();
      const controller = new AbortController();
      const { signal } = controller;
      const faults: string[] = [];
      const leases = new Map<string, Set<bigint>>(NAMES.map((name) => [name, new Set()]));
      const attached = NAMES.map((name, index) =>
        persist(
          index,
          signal,
          async (discovery, remember, resumeToken) => {
            const request =
              resumeToken === ''
                ? {
                    instance: instanceOf(service, name),
                    ttl: duration(15_000),
                    grace: duration(GRACE_MS),
                  }
                : { resumeToken };
            for await (const message of discovery.attach(request, { signal })) {
              remember(message.resumeToken);
              leases.get(name)?.add(message.instance?.leaseId ?? 0n);
            }
          },
          faults,
        ),
      );
      const counted = startCounting(service, signal, faults);
      await eventually(() => expect(counted.present.size).toBe(COUNT));
      counted.isCounting = true;
      const { changes } = counted;
      for (const [index, gateway] of gateways.entries()) {
        gateway.signal(signalName);
        await gateway.exited;
        await gateway[Symbol.asyncDispose]();
        gateways[index] = await startReplica();
      }
      // Longer than what any of them would be kept by a gateway that is gone.
      await delay(GRACE_MS * 1.5);
      expect(faults).toEqual([]);
      expect(counted.changes).toBe(changes);
      expect(counted.present.size).toBe(COUNT);
      expect([...leases.values()].map(({ size }) => size)).toEqual(NAMES.map(() => 1));
      const { instances } = await discoveryAt(0).discover({ service });
      expect(instances.length).toBe(COUNT);
      controller.abort();
      await Promise.all([...attached, counted.ended]);
      for (const instanceId of NAMES) await discoveryAt(0).unregister({ service, instanceId });
    },
  );

  it('always has at least as many instances as there should be, while their processes are replaced', async () => {
    const service = serviceOf();
    const controller = new AbortController();
    const faults: string[] = [];
    const counted = startCounting(service, controller.signal, faults);
    const GROUP = 10;
    const start = (first: number, release: string): Promise<AttachedProcess> =>
      startAttachedProcess({
        url: gateways[(first / GROUP) % gateways.length]?.url ?? '',
        service,
        instanceIds: NAMES.slice(first, first + GROUP).map((name) => `${release}-${name}`),
      });
    const processes: AttachedProcess[] = [];
    try {
      const firsts = Array.from({ length: COUNT / GROUP }, (_, i) => i * GROUP);
      for (const first of firsts) processes.push(await start(first, 'old'));
      await eventually(() => expect(counted.present.size).toBe(COUNT));
      counted.isCounting = true;
      for (const [index, first] of firsts.entries()) {
        const old = processes[index];
        processes.push(await start(first, 'new'));
        await eventually(() => expect(counted.present.size).toBe(COUNT + GROUP));
        await old?.kill();
        await eventually(() => expect(counted.present.size).toBe(COUNT));
      }
      expect(counted.lowest).toBe(COUNT);
      expect([...counted.present].sort()).toEqual(NAMES.map((name) => `new-${name}`).sort());
      expect(faults).toEqual([]);
    } finally {
      for (const process of processes) await process.kill();
      controller.abort();
      await counted.ended;
    }
  });
});
