import { connect as connectTls } from 'node:tls';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node';
import { describe, expect, it } from 'vitest';
import { Health } from '../../../gen/grpc/health/v1/health_pb.ts';
import { PROTOCOLS_BOTH_WAYS } from '../../support/protocols.ts';
import { openRawSocket, requestHttp2 } from './raw-http.ts';
import { certificate, startToy } from './toy-server.ts';

const STREAMING = PROTOCOLS_BOTH_WAYS.filter(({ name }) => !name.includes('GET'));

describe('a server in cleartext', () => {
  it.each(PROTOCOLS_BOTH_WAYS)('answers unary calls and streams over $name on one port', async (protocol) => {
    await using toy = await startToy({
      check: async (service) => ({ status: service === 'up' ? 1 : 2 }),
      async *watch() {
        yield* [{ status: 1 }, { status: 2 }, { status: 1 }] as const;
      },
    });
    const health = toy.health(protocol);
    expect((await health.check({ service: 'up' })).status).toBe(1);
    expect((await health.check({ service: 'down' })).status).toBe(2);
    const statuses: number[] = [];
    for await (const { status } of health.watch({})) statuses.push(status);
    expect(statuses).toEqual([1, 2, 1]);
    expect((await toy.kv(protocol).get({ key: 'four' })).revision).toBe(4n);
    expect(toy.seen.map(({ outcomes }) => outcomes)).toEqual(
      Array(4).fill([expect.objectContaining({ code: undefined })]),
    );
  });

  it.each(STREAMING)('sends each message of a stream over $name as it comes', async (protocol) => {
    const steps = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
    await using toy = await startToy({
      async *watch() {
        yield { status: 1 };
        await steps[0].promise;
        yield { status: 2 };
        await steps[1].promise;
      },
    });
    const messages = toy.health(protocol).watch({})[Symbol.asyncIterator]();
    expect((await messages.next()).value?.status).toBe(1);
    steps[0].resolve();
    expect((await messages.next()).value?.status).toBe(2);
    steps[1].resolve();
    expect((await messages.next()).done).toBe(true);
  });

  it('answers a GET, with no leave to store it', async () => {
    await using toy = await startToy();
    const query = `encoding=json&message=${encodeURIComponent('{"key":"four"}')}`;
    const response = await fetch(`${toy.baseUrl}/concord.kv.v1.KvService/Get?connect=v1&${query}`);
    expect(await response.json()).toEqual({ revision: '4' });
    expect(response.headers.get('cache-control')).toBe('no-store');
  });

  it('reads gzip, and compresses answers of 16 KiB and more only', async () => {
    await using toy = await startToy({
      get: async (key) => ({ revision: 1n, kv: { value: 'v'.repeat(Number(key)) } }),
    });
    const encodingFor = async (bytes: number) => {
      const headers = {
        ':path': '/concord.kv.v1.KvService/Get',
        'content-type': 'application/json',
        'accept-encoding': 'br, gzip',
      };
      const body = Buffer.from(JSON.stringify({ key: String(bytes) }));
      return (await requestHttp2(toy.baseUrl, headers, body)).headers['content-encoding'];
    };
    expect(await encodingFor(16_000)).toBeUndefined();
    expect(await encodingFor(17_000)).toBe('gzip');
  });

  it('takes a request whose target is in absolute form', async () => {
    await using toy = await startToy();
    using client = await openRawSocket(toy.port);
    client.send(
      `POST http://x/grpc.health.v1.Health/Check HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`,
    );
    expect(await client.sees('SERVING')).toMatch(/^HTTP\/1.1 200 OK/);
  });
});

describe('a server with a certificate', () => {
  const tls = { nodeOptions: { ca: certificate.cert } };

  it('speaks HTTP/2 and HTTP/1.1 as the client chooses', async () => {
    await using toy = await startToy({}, { tls: certificate });
    expect(toy.server.listeners[0]?.scheme).toBe('https');
    const { baseUrl } = toy;
    const transports = [
      createGrpcTransport({ baseUrl, ...tls }),
      createConnectTransport({ baseUrl, httpVersion: '1.1', ...tls }),
      createConnectTransport({ baseUrl, httpVersion: '2', ...tls }),
    ];
    for (const transport of transports) {
      const health = createClient(Health, transport);
      expect((await health.check({})).status).toBe(1);
    }
    const stats = toy.server.stats();
    expect([stats.http1Connections, stats.http2Connections]).toEqual([1, 2]);
  });

  it.each([
    [['h2', 'http/1.1'], 'h2'],
    [['http/1.1'], 'http/1.1'],
  ])('chooses from %j by ALPN', async (ALPNProtocols, chosen) => {
    await using toy = await startToy({}, { tls: certificate });
    const socket = connectTls({ port: toy.port, host: '127.0.0.1', ca: certificate.cert, ALPNProtocols });
    await new Promise((resolve) => socket.once('secureConnect', resolve));
    expect(socket.alpnProtocol).toBe(chosen);
    socket.destroy();
  });

  it('goes by the first bytes where a client offers nothing by ALPN', async () => {
    await using toy = await startToy({}, { tls: certificate });
    const socket = connectTls({ port: toy.port, host: '127.0.0.1', ca: certificate.cert });
    socket.write('GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n');
    const answer = await new Promise<Buffer>((resolve) => socket.once('data', resolve));
    expect(answer.toString()).toMatch(/^HTTP\/1.1 404/);
    socket.destroy();
  });

  it('survives a client that does not speak TLS', async () => {
    await using toy = await startToy({}, { tls: certificate });
    await expect(fetch(`http://127.0.0.1:${toy.port}/`)).rejects.toThrow();
    const health = createClient(
      Health,
      createConnectTransport({ baseUrl: toy.baseUrl, httpVersion: '1.1', ...tls }),
    );
    expect((await health.check({})).status).toBe(1);
  });
});
