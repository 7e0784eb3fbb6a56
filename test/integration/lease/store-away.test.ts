import { describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { openClients } from '../../support/open-clients.ts';
import { runConcord } from '../../support/run-concord.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { openHold } from './hold-stream.ts';

const LONG = { seconds: 600n };
const TIMEOUT_MS = 180_000;

describe('leases while etcd is silent', () => {
  it(
    'are not to be had: every call says so in time, and works again when etcd does',
    async () => {
      await using gateway = await startGatewayOnEtcd({ ETCD_TIMEOUT: '2s' });
      const clients = openClients(gateway.url);
      const { leases } = clients;
      const { leaseId } = await leases.grant({ ttl: LONG });
      const before = await openHold(clients, { ttl: LONG, grace: LONG });
      await before[Symbol.asyncDispose]();
      gateway.etcd.pause();
      async function failsWith(reason: RegExp, calls: Readonly<Record<string, Promise<unknown>>>) {
        const failures = Object.entries(calls).map(async ([rpc, call]) => {
          const expected = { code: 'Unavailable', hasRetryInfo: true, reason: expect.stringMatching(reason) };
          expect(await failureOf(call), rpc).toMatchObject(expected);
        });
        await Promise.all(failures);
      }
      const { resumeToken } = before.last;
      await Promise.all([
        failsWith(/^STORE_UNAVAILABLE$/, {
          renew: leases.renew({ leaseId }),
          get: leases.get({ leaseId }),
          list: leases.list({}),
          hold: openHold(clients, { leaseId }),
          resume: openHold(clients, { resumeToken }),
        }),
        failsWith(/^(OUTCOME_UNKNOWN|STORE_UNAVAILABLE)$/, {
          grant: leases.grant({ ttl: LONG }),
          revoke: leases.revoke({ leaseId }),
          startAutoRenew: leases.startAutoRenew({ leaseId }),
          stopAutoRenew: leases.stopAutoRenew({ leaseId }),
          holdNew: openHold(clients, { ttl: LONG }),
        }),
      ]);
      gateway.etcd.resume();
      await eventually(async () => void (await leases.grant({ ttl: LONG })));
      await using back = await openHold(clients, { resumeToken });
      expect(back.first.leaseId).toBe(before.first.leaseId);
      expect(gateway.app.stats().sessions).toBe(1);
    },
    TIMEOUT_MS,
  );

  it(
    'end in the end where their streams did meanwhile',
    async () => {
      await using gateway = await startGatewayOnEtcd({ ETCD_TIMEOUT: '2s' });
      const clients = openClients(gateway.url);
      const holds = await Promise.all(Array.from({ length: 10 }, () => openHold(clients, { ttl: LONG })));
      gateway.etcd.pause();
      for (const hold of holds) await hold[Symbol.asyncDispose]();
      await eventually(() => expect(gateway.app.stats()).toMatchObject({ sessions: 0 }));
      gateway.etcd.resume();
      for (const { first } of holds) {
        await eventually(async () => {
          const call = clients.leases.get({ leaseId: first.leaseId });
          expect(await failureOf(call)).toMatchObject({ reason: 'LEASE_NOT_FOUND' });
        });
      }
    },
    TIMEOUT_MS,
  );

  it(
    'do not keep their gateway from ending',
    async () => {
      await using etcd = await startEtcd();
      const env = { ETCD_ENDPOINTS: etcd.endpoint, ETCD_TIMEOUT: '2s', CONCORD_DRAIN_TIMEOUT: '2s' };
      await using gateway = await runConcord({ env });
      const clients = openClients(gateway.url);
      await using _plain = await openHold(clients, { ttl: LONG });
      await using _grace = await openHold(clients, { ttl: LONG, grace: LONG });
      await clients.leases.grant({ ttl: LONG, autoRenew: true });
      etcd.pause();
      gateway.signal('SIGTERM');
      let exit: unknown;
      void gateway.exited.then((ended) => {
        exit = ended;
      });
      await eventually(() => expect(exit).toEqual({ code: 0, signal: null }), 40_000);
    },
    TIMEOUT_MS,
  );
});
