import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEtcd } from '../../support/start-etcd.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { callAll, getsOf, PATIENT_ELECTION, putsOf } from './many-calls.ts';
import { type CountingGateway, type MadeObjects, startCountingGateway } from './start-counting-gateway.ts';

const CALLS = 3_000;
const IN_FLIGHT = 100;
/** The most that a Get may make: twice the bytes that it does, and a timer for every second one, since they depend on Node and on what comes together; an AbortController for none that ends well. */
const MAX_OF_A_GET: MadeObjects = { allocatedBytes: 60_000, timers: 0.5, abortControllers: 0.1 };

describe('a linearizable Get', { timeout: 240_000 }, () => {
  let etcd: TestEtcd;
  let gateway: CountingGateway;
  let ofAGet: MadeObjects;

  beforeAll(async () => {
    const prefix = `test/${randomUUID()}/`;
    etcd = await startEtcd({ args: PATIENT_ELECTION });
    gateway = await startCountingGateway(etcd.endpoint);
    await callAll(gateway.port, putsOf(prefix, CALLS), IN_FLIGHT);
    // What is compiled and kept once has been by then.
    await callAll(gateway.port, getsOf(prefix, CALLS), IN_FLIGHT);
    await gateway.takeMadeObjects();
    await callAll(gateway.port, getsOf(prefix, CALLS), IN_FLIGHT);
    const { allocatedBytes, timers, abortControllers } = await gateway.takeMadeObjects();
    ofAGet = {
      allocatedBytes: allocatedBytes / CALLS,
      timers: timers / CALLS,
      abortControllers: abortControllers / CALLS,
    };
  }, 240_000);

  afterAll(async () => {
    await gateway?.[Symbol.asyncDispose]();
    await etcd?.stop();
  });

  it(`allocates at most ${MAX_OF_A_GET.allocatedBytes} bytes`, () => {
    const { allocatedBytes } = ofAGet;
    expect(allocatedBytes, 'bytes allocated for a Get have grown').toBeLessThanOrEqual(
      MAX_OF_A_GET.allocatedBytes,
    );
    expect(allocatedBytes, 'what is allocated is sampled').toBeGreaterThan(100);
  });

  it(`starts at most ${MAX_OF_A_GET.timers} timers`, () => {
    expect(ofAGet.timers, 'timers of a Get have grown').toBeLessThanOrEqual(MAX_OF_A_GET.timers);
  });

  it(`makes at most ${MAX_OF_A_GET.abortControllers} AbortControllers`, () => {
    expect(ofAGet.abortControllers, 'AbortControllers of a Get have grown').toBeLessThanOrEqual(
      MAX_OF_A_GET.abortControllers,
    );
  });
});
