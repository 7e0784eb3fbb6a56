import { randomUUID } from 'node:crypto';
import { createClient } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Event_Type, Event_TypeSchema } from '../../../gen/concord/kv/v1/event_pb.ts';
import {
  WatchResponse_Kind as Kind,
  KvService,
  WatchRequest_Changes,
  WatchResponse_KindSchema,
} from '../../../gen/concord/kv/v1/kv_service_pb.ts';
import { collect } from '../../support/collect.ts';
import { GATEWAY_WATCHES, HUB_WATCHES } from '../../support/etcd-watch-metrics.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { PROTOCOLS, type Protocol } from '../../support/protocols.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';

let etcd: TestEtcd;
let gateway: TestGateway;

beforeAll(async () => {
  etcd = await startEtcd();
  gateway = await startGateway([etcd.endpoint]);
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await etcd?.stop();
});

type Request = Parameters<ReturnType<typeof kvOver>['watch']>[0];

function kvOver({ open }: Pick<Protocol, 'open'>) {
  return createClient(KvService, open(gateway.url));
}

function watchWith(kv: ReturnType<typeof kvOver>, request: Request) {
  const controller = new AbortController();
  return collect(kv.watch(request, { signal: controller.signal }), controller);
}

const kindName = (kind: Kind) => WatchResponse_KindSchema.value[kind]?.localName ?? '';
const typeName = (type: Event_Type) => Event_TypeSchema.value[type]?.localName ?? '';
const prefixOf = () => `test/${randomUUID()}/`;

describe.each(PROTOCOLS.filter(({ name }) => !name.includes('GET')))(
  'KvService.Watch over $name',
  (protocol) => {
    it('sends the state, then what changes, each revision as a whole', async () => {
      const kv = kvOver(protocol);
      const prefix = prefixOf();
      const before = await kv.batchPut({
        entries: [{ key: `${prefix}a`, value: '1' }, { key: `${prefix}b` }],
      });
      await using watch = watchWith(kv, { prefix, includeSnapshot: true });
      await watch.find(({ kind }) => kind === Kind.CHECKPOINT);
      expect(watch.messages.map(({ kind }) => kindName(kind))).toEqual(['SNAPSHOT', 'SYNCED', 'CHECKPOINT']);
      expect(watch.messages[0]?.kvs).toMatchObject([
        { key: `${prefix}a`, value: '1' },
        { key: `${prefix}b` },
      ]);
      expect(watch.messages[0]?.revision).toBeGreaterThanOrEqual(before.revision);

      const { revision } = await kv.txn({
        success: [
          { operation: { case: 'put', value: { key: `${prefix}a`, value: '2' } } },
          { operation: { case: 'put', value: { key: `${prefix}c`, value: '3' } } },
          { operation: { case: 'delete', value: { key: `${prefix}b` } } },
        ],
      });
      const changes = await watch.find(({ kind }) => kind === Kind.EVENTS);
      expect(changes.revision).toBe(revision);
      expect(
        changes.events.map(({ type, kv }) => [typeName(type), kv?.key.slice(prefix.length), kv?.value]),
      ).toEqual([
        ['UPDATED', 'a', '2'],
        ['CREATED', 'c', '3'],
        ['DELETED', 'b', ''],
      ]);
      expect(changes.resumeToken).not.toBe('');
    });

    it('tells at once, and again at the interval, that there is nothing to tell', async () => {
      const kv = kvOver(protocol);
      await using watch = watchWith(kv, { prefix: prefixOf(), checkpointInterval: { nanos: 100_000_000 } });
      await watch.find(({ kind }) => kind === Kind.CHECKPOINT, { timeoutMs: 10_000 });
      const { revision } = await kv.put({ key: prefixOf() });
      // Revisions of others' keys move it on too: silence is never ambiguous.
      await watch.find((message) => message.kind === Kind.CHECKPOINT && message.revision >= revision, {
        timeoutMs: 10_000,
      });
      expect(watch.messages.every(({ kind }) => kind === Kind.CHECKPOINT)).toBe(true);
    });

    it('goes on where a resume token says, and misses nothing', async () => {
      const kv = kvOver(protocol);
      const prefix = prefixOf();
      const first = watchWith(kv, { prefix });
      await first.find(({ kind }) => kind === Kind.CHECKPOINT);
      await kv.put({ key: `${prefix}1` });
      const { resumeToken } = await first.find(({ kind }) => kind === Kind.EVENTS);
      await first[Symbol.asyncDispose]();
      for (const name of ['2', '3', '4']) await kv.put({ key: prefix + name });
      await using second = watchWith(kv, { prefix, resumeToken });
      await second.find(({ events }) => events[0]?.kv?.key === `${prefix}4`);
      const keys = second.messages.flatMap(({ events }) =>
        events.map(({ kv }) => kv?.key.slice(prefix.length)),
      );
      expect(keys).toEqual(['2', '3', '4']);
    });

    it('says in what a request is wrong', async () => {
      const kv = kvOver(protocol);
      const prefix = prefixOf();
      const { revision } = await kv.put({ key: prefix });
      const watch = watchWith(kv, { prefix });
      const { resumeToken } = await watch.find(() => true);
      await watch[Symbol.asyncDispose]();
      const cases: readonly (readonly [Request, string])[] = [
        [{}, 'FIELD_INVALID'],
        [{ start: 'a' }, 'FIELD_INVALID'],
        [{ prefix, checkpointInterval: { seconds: 0n } }, 'FIELD_INVALID'],
        [{ prefix, startRevision: revision + 1_000n }, 'REVISION_IN_FUTURE'],
        [{ prefix: `${prefix}other`, resumeToken }, 'RESUME_TOKEN_INVALID'],
        [
          { prefix, resumeToken: `${resumeToken.slice(0, 4)}AAAA${resumeToken.slice(8)}` },
          'RESUME_TOKEN_INVALID',
        ],
        [{ prefix, resumeToken: 'nonsense' }, 'RESUME_TOKEN_INVALID'],
      ];
      for (const [request, reason] of cases) {
        const bad = watchWith(kv, request);
        expect(await failureOf(bad.find(() => false))).toMatchObject({ reason });
      }
    });
  },
);

describe('KvService.Watch', () => {
  const kv = () => kvOver(PROTOCOLS[0] ?? { open: () => expect.fail() });

  it('starts in the past', async () => {
    const client = kv();
    const prefix = prefixOf();
    const { revision } = await client.put({ key: `${prefix}a` });
    for (let i = 0; i < 30; i++) await client.put({ key: `${prefix}b`, value: String(i) });
    await using watch = watchWith(client, { prefix, startRevision: revision });
    await watch.find(({ events }) => events[0]?.kv?.value === '29');
    expect(watch.messages.filter(({ kind }) => kind === Kind.EVENTS)).toHaveLength(31);
  });

  it('says of a start that was compacted away that it is gone', async () => {
    const client = kv();
    const prefix = prefixOf();
    const { revision } = await client.put({ key: prefix });
    const last = await client.put({ key: prefix });
    await compact(last.revision);
    await using watch = watchWith(client, { prefix, startRevision: revision });
    expect(await failureOf(watch.find(() => false))).toMatchObject({
      code: 'OutOfRange',
      reason: 'REVISION_COMPACTED',
    });
  });

  it('answers a resume token whose changes were compacted away with all that there is', async () => {
    const client = kv();
    const prefix = prefixOf();
    const first = watchWith(client, { prefix });
    const { resumeToken } = await first.find(() => true);
    await first[Symbol.asyncDispose]();
    await client.put({ key: `${prefix}a`, value: '1' });
    const last = await client.put({ key: `${prefix}a`, value: '2' });
    await client.put({ key: prefixOf() });
    await compact(last.revision);
    await using second = watchWith(client, { prefix, resumeToken });
    await second.find(({ kind }) => kind === Kind.SYNCED);
    expect(second.messages.map(({ kind }) => kindName(kind)).slice(0, 4)).toEqual([
      'CHECKPOINT',
      'RESYNC',
      'SNAPSHOT',
      'SYNCED',
    ]);
    expect(second.messages[2]?.kvs).toMatchObject([{ key: `${prefix}a`, value: '2' }]);
  });

  it('shows each subscriber what it chose of the same changes', async () => {
    const client = kv();
    const prefix = prefixOf();
    const views = {
      all: watchWith(client, { prefix, returnPrevious: true }),
      one: watchWith(client, { key: `${prefix}x/1` }),
      puts: watchWith(client, { prefix, changes: WatchRequest_Changes.PUTS }),
      deletes: watchWith(client, { prefix, changes: WatchRequest_Changes.DELETES }),
      keysOnly: watchWith(client, { prefix, keysOnly: true }),
      changedOnly: watchWith(client, { prefix, changedOnly: true }),
      glob: watchWith(client, { prefix, glob: `${prefix}*/1` }),
      range: watchWith(client, { start: `${prefix}y`, end: `${prefix}z` }),
    };
    for (const watch of Object.values(views)) await watch.find(({ kind }) => kind === Kind.CHECKPOINT);
    await client.put({ key: `${prefix}x/1`, value: 'a' });
    await client.put({ key: `${prefix}x/1`, value: 'a' });
    await client.put({ key: `${prefix}x/y/1`, value: 'b' });
    await client.put({ key: `${prefix}y`, value: 'c' });
    await client.delete({ key: `${prefix}x/1` });
    await client.put({ key: `${prefix}z-end`, value: 'end' });
    await client.delete({ key: `${prefix}z-end` });
    await views.all.find(
      ({ events }) => events[0]?.type === Event_Type.DELETED && events[0].kv?.key.endsWith('end') === true,
    );
    await views.range.find(({ events }) => events.length > 0);
    await views.one.find(({ events }) => events[0]?.type === Event_Type.DELETED);
    await views.glob.find(({ events }) => events[0]?.type === Event_Type.DELETED);
    await views.puts.find(({ events }) => events[0]?.kv?.value === 'end');
    await views.changedOnly.find(
      ({ events }) => events[0]?.type === Event_Type.DELETED && events[0].kv?.key.endsWith('end') === true,
    );
    await views.keysOnly.find(
      ({ events }) => events[0]?.type === Event_Type.DELETED && events[0].kv?.key.endsWith('end') === true,
    );
    await views.deletes.find(({ events }) => events[0]?.kv?.key.endsWith('end') === true);

    const seen = Object.fromEntries(
      Object.entries(views).map(([name, { messages }]) => [
        name,
        messages.flatMap(({ events }) =>
          events.map(({ type, kv, previous }) =>
            [typeName(type)[0], kv?.key.slice(prefix.length), kv?.value, previous?.value].join(' ').trimEnd(),
          ),
        ),
      ]),
    );
    expect(seen).toEqual({
      all: ['C x/1 a', 'U x/1 a a', 'C x/y/1 b', 'C y c', 'D x/1  a', 'C z-end end', 'D z-end  end'],
      one: ['C x/1 a', 'U x/1 a', 'D x/1'],
      puts: ['C x/1 a', 'U x/1 a', 'C x/y/1 b', 'C y c', 'C z-end end'],
      deletes: ['D x/1', 'D z-end'],
      keysOnly: ['C x/1', 'U x/1', 'C x/y/1', 'C y', 'D x/1', 'C z-end', 'D z-end'],
      changedOnly: ['C x/1 a', 'C x/y/1 b', 'C y c', 'D x/1', 'C z-end end', 'D z-end'],
      glob: ['C x/1 a', 'U x/1 a', 'D x/1'],
      range: ['C y c'],
    });
    for (const watch of Object.values(views)) await watch[Symbol.asyncDispose]();
  });

  it('tells a key whose lease ended from one that was deleted', async () => {
    const client = kv();
    const prefix = prefixOf();
    await using watch = watchWith(client, { prefix });
    await watch.find(({ kind }) => kind === Kind.CHECKPOINT);
    const { leaseId } = await client.put({ key: `${prefix}expired`, ttl: { seconds: 1n } });
    await client.put({ key: `${prefix}deleted`, ttl: { seconds: 600n } });
    await client.delete({ key: `${prefix}deleted` });
    expect(leaseId).toBeGreaterThan(0n);
    const expired = await watch.find(({ events }) => events.some(({ type }) => type === Event_Type.EXPIRED));
    expect(expired.events[0]?.kv?.key).toBe(`${prefix}expired`);
    const deleted = await watch.find(({ events }) => events.some(({ type }) => type === Event_Type.DELETED));
    expect(deleted.events[0]?.kv?.key).toBe(`${prefix}deleted`);
  });

  it('serves overlapping subscribers with one watch of etcd, and leaves none behind', async () => {
    const client = kv();
    const prefix = prefixOf();
    const own = GATEWAY_WATCHES;
    await etcdWatchersAre(own);
    const watches = [
      { prefix },
      { key: `${prefix}a` },
      { prefix: `${prefix}a/` },
      { start: `${prefix}a`, end: `${prefix}c` },
    ]
      .flatMap((request) => [request, request, request])
      .map((request) => watchWith(client, request));
    for (const watch of watches) await watch.find(({ kind }) => kind === Kind.CHECKPOINT);
    await client.put({ key: `${prefix}a` });
    for (const watch of watches.slice(0, 6)) await watch.find(({ kind }) => kind === Kind.EVENTS);
    await etcdWatchersAre(own + 1);
    for (const watch of watches) await watch[Symbol.asyncDispose]();
    await etcdWatchersAre(own);
    expect(gateway.app.stats().watch).toMatchObject({
      subscriptions: HUB_WATCHES,
      channels: HUB_WATCHES,
    });
  });
});

/** Waits until etcd has so many watches. */
async function etcdWatchersAre(count: number): Promise<void> {
  await eventually(async () => {
    const text = await (await fetch(`${etcd.endpoint}/metrics`)).text();
    expect(Number(/^etcd_debugging_mvcc_watcher_total (\d+)$/m.exec(text)?.[1])).toBe(count);
  });
}

async function compact(revision: bigint): Promise<void> {
  const response = await fetch(`${etcd.endpoint}/v3/kv/compaction`, {
    method: 'POST',
    body: JSON.stringify({ revision: String(revision), physical: true }),
  });
  if (!response.ok) throw new Error(await response.text());
}
