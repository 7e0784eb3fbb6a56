import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Change_Type as Type } from '../../../gen/concord/discovery/v1/discovery_service_pb.ts';
import { Status } from '../../../gen/concord/discovery/v1/instance_pb.ts';
import { type Etcd, openEtcd } from '../../../src/etcd/open-etcd.ts';
import { openClients } from '../../support/open-clients.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { openInstanceWatch } from './instance-watch.ts';
import { namesAndRevisions, serviceName, storedInstances } from './stored-instances.ts';

const WRITERS = 4;
const STEPS = 60;
const STATUSES = [Status.UP, Status.DOWN, Status.DRAINING, Status.STARTING];

describe('a linearizable Discover beside several writers', () => {
  let etcd: TestEtcd;
  let gateways: readonly TestGateway[];
  let direct: Etcd;

  beforeAll(async () => {
    etcd = await startEtcd();
    gateways = await Promise.all([startGateway([etcd.endpoint]), startGateway([etcd.endpoint])]);
    direct = openEtcd({ endpoints: [etcd.endpoint] });
  });

  afterAll(async () => {
    await direct?.[Symbol.asyncDispose]();
    for (const gateway of gateways ?? []) await gateway[Symbol.asyncDispose]();
    await etcd?.stop();
  });

  it('sees at each step what its writer was just told is done, and follows all of them to the end', async () => {
    const service = serviceName();
    const clients = gateways.map(({ url }) => openClients(url).discovery);
    const clientAt = (i: number) => clients[i % clients.length] ?? expect.fail();
    await using watch = openInstanceWatch(clientAt(0), { service });
    await watch.opened;

    /** Each has instances of its own, so that it knows how they are; what it does is random. */
    async function write(writer: number): Promise<void> {
      const expected = new Map<string, bigint>();
      for (let step = 0; step < STEPS; step++) {
        const written = clientAt(Math.floor(Math.random() * 2));
        const instanceId = `${writer}-${Math.floor(Math.random() * 5)}`;
        const instance = { service, instanceId, host: 'h', port: 1 + step };
        const kind = expected.has(instanceId) ? Math.floor(Math.random() * 4) : 0;
        if (kind === 3) {
          await written.unregister({ service, instanceId });
          expected.delete(instanceId);
        } else {
          const { revision } =
            kind === 0
              ? await written.register({ instance, ttl: { seconds: 300n } })
              : kind === 1
                ? await written.updateInstance({ instance })
                : await written.setStatus({ service, instanceId, status: STATUSES[step % 4] ?? Status.UP });
          expected.set(instanceId, revision);
        }
        const answer = await clientAt(step).discover({ service });
        const own = answer.instances.filter((each) => each.instanceId.startsWith(`${writer}-`));
        expect(new Map(own.map((each) => [each.instanceId, each.revision]))).toEqual(expected);
      }
    }

    await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
    const stored = await storedInstances(direct.store, service);
    const answers = await Promise.all(clients.map((client) => client.discover({ service })));
    for (const { instances } of answers) expect(namesAndRevisions(instances)).toEqual(stored);
    // What was watched adds up to the same.
    const { revision } = answers[0] ?? expect.fail();
    await watch.find((message) => message.revision >= revision);
    const seen = new Map<string, bigint>();
    for (const { changes } of watch.messages) {
      for (const { type, instance } of changes) {
        if (instance === undefined) return expect.fail();
        if (type === Type.UNREGISTERED || type === Type.EXPIRED) seen.delete(instance.instanceId);
        else seen.set(instance.instanceId, instance.revision);
      }
    }
    expect([...seen].map(([id, at]) => `${id}@${at}`).toSorted()).toEqual(stored.toSorted());
  }, 180_000);
});
