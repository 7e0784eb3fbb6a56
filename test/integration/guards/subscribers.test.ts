import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { create, toBinary } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WatchRequestSchema } from '../../../gen/concord/kv/v1/kv_service_pb.ts';
import { envelop } from '../../bench/load/envelope.ts';
import { etcdWatchMetrics, GATEWAY_WATCHES } from '../../support/etcd-watch-metrics.ts';
import { eventually } from '../../support/eventually.ts';
import { openClients } from '../../support/open-clients.ts';
import type { TestGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';

const SUBSCRIBERS = 1_000;
const CONNECTIONS = 10;
const EVENTS = 20;
const VALUE = 'v'.repeat(256);

const MAX_UPSTREAM_WATCHES = 1;
/** Beside key and value: revisions, the resume token, lengths and tags, the envelope (5), and the frame's header (9). */
const MAX_EXTRA_BYTES = 100;

describe(`${SUBSCRIBERS} subscribers of one key`, { timeout: 240_000 }, () => {
  const key = `test/${randomUUID()}`;
  const sessions: ClientHttp2Session[] = [];
  let gateway: TestGateway & { readonly etcd: TestEtcd };

  beforeAll(async () => {
    gateway = await startGatewayOnEtcd();
    await eventually(async () => {
      const { watchers } = await etcdWatchMetrics(gateway.etcd.endpoint);
      expect(watchers).toBe(GATEWAY_WATCHES);
    });
    for (let i = 0; i < CONNECTIONS; i += 1) sessions.push(connect(gateway.url));
    await Promise.all(
      Array.from({ length: SUBSCRIBERS }, (_, i) => subscribe(sessionAt(i % CONNECTIONS), key)),
    );
  }, 240_000);

  afterAll(async () => {
    for (const session of sessions) session.destroy();
    await gateway?.[Symbol.asyncDispose]();
  });

  function sessionAt(index: number): ClientHttp2Session {
    const session = sessions[index];
    if (session === undefined) throw new Error(`there is no connection ${index}`);
    return session;
  }

  const bytesRead = () => sessions.reduce((sum, { socket }) => sum + socket.bytesRead, 0);

  it(`are at most ${MAX_UPSTREAM_WATCHES} watch in etcd`, async () => {
    const { watchers } = await etcdWatchMetrics(gateway.etcd.endpoint);
    const upstream = watchers - GATEWAY_WATCHES;
    expect(upstream, `watches in etcd for ${SUBSCRIBERS} subscribers have grown`).toBeLessThanOrEqual(
      MAX_UPSTREAM_WATCHES,
    );
    expect(upstream, 'etcd tells its watches').toBeGreaterThan(0);
  });

  it(`get at most ${MAX_EXTRA_BYTES} bytes each with an event, beside its key and value`, async () => {
    const { kv } = openClients(gateway.url);
    const eachEvent = SUBSCRIBERS * (key.length + VALUE.length);
    const before = bytesRead();
    // The next is written when all have got the one before: several events in one message would share its bytes.
    for (let event = 1; event <= EVENTS; event += 1) {
      await kv.put({ key, value: VALUE });
      await eventually(() => expect(bytesRead() - before).toBeGreaterThanOrEqual(event * eachEvent));
    }
    const extra = (bytesRead() - before - EVENTS * eachEvent) / (SUBSCRIBERS * EVENTS);
    expect(extra, 'bytes on the wire with an event have grown').toBeLessThanOrEqual(MAX_EXTRA_BYTES);
    expect(extra).toBeGreaterThan(0);
  });
});

/** Opens a watch over gRPC; resolves with its first message. */
async function subscribe(session: ClientHttp2Session, key: string): Promise<ClientHttp2Stream> {
  const stream = session.request({
    ':method': 'POST',
    ':path': '/concord.kv.v1.KvService/Watch',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  // Of a connection that the test ends.
  stream.on('error', () => {});
  stream.end(envelop(toBinary(WatchRequestSchema, create(WatchRequestSchema, { key }))));
  await once(stream, 'data');
  return stream.resume();
}
