import { Agent } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node';
import { Client, credentials } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import {
  KvService,
  type PutRequest,
  PutRequestSchema,
  PutResponseSchema,
} from '../../gen/concord/kv/v1/kv_service_pb.ts';
import { Health } from '../../gen/grpc/health/v1/health_pb.ts';
import { eventually } from '../support/eventually.ts';
import { failureOf } from '../support/failure-of.ts';
import { listKeys, openKvClient } from '../support/kv-client.ts';
import { openTempDir } from '../support/open-temp-dir.ts';
import { runConcord } from '../support/run-concord.ts';
import { startCallers } from '../support/start-callers.ts';

/** As long as may be: what ends has ended by itself, however slow the machine is. */
const PATIENT = {
  env: { CONCORD_DRAIN_TIMEOUT: '10m', CONCORD_REQUEST_TIMEOUT: '10m', ETCD_TIMEOUT: '1m' },
};
const CALL_OPTIONS = { timeoutMs: 600_000 };
const CONNECTIONS = 4;

const PUT = {
  path: `/${KvService.typeName}/Put`,
  serialize: (request: PutRequest) => Buffer.from(toBinary(PutRequestSchema, request)),
  deserialize: (bytes: Buffer) => fromBinary(PutResponseSchema, bytes),
};

describe('a gateway that is stopped', { timeout: 300_000 }, () => {
  it.each([
    ['gRPC', openGrpcWriters, 200, 1],
    ['gRPC, from grpc-js', openGrpcJsWriters, 200, 1],
    ['Connect on HTTP/1.1 connections that are kept', openConnectWriters, 100, 1],
    ['gRPC, with two workers', openGrpcWriters, 200, 2],
    ['Connect on HTTP/1.1 connections that are kept, with two workers', openConnectWriters, 100, 2],
  ] as const)('loses no write that it took: %s', async (_, openWriters, count, workers) => {
    await using data = await openTempDir();
    const key = (caller: number, index: number) => `load/${caller}/${index}`;
    const { records, exit, stderr } = await (async () => {
      await using concord = await runConcord({
        ...PATIENT,
        args: [`--workers=${workers}`],
        dataDir: data.path,
      });
      await using writers = openWriters(concord.url);
      const callers = startCallers({
        count,
        call: (caller, index) => writers.put(caller, key(caller, index)),
        goesOn: ({ error }) => error === undefined,
      });
      // Every caller is at work, and so are all of their connections.
      await eventually(() => expect(new Set(callers.records.map(({ caller }) => caller)).size).toBe(count));
      concord.signal('SIGTERM');
      const exit = await concord.exited;
      await callers.ended;
      return { records: callers.records, exit, stderr: concord.stderr };
    })();

    expect(exit).toEqual({ code: 0, signal: null });
    expect(stderr).not.toContain('still running at the end of the drain');
    const failures = records.flatMap(({ error }) => error ?? []);
    expect(failures).toHaveLength(count);
    expect([...new Set(failures.map(kindOf))].filter((kind) => kind !== 'refused')).toEqual([]);

    await using again = await runConcord({ dataDir: data.path });
    const stored = await listKeys(openKvClient(again.url), 'load/');
    const lost = records.filter(({ caller, index, error }) => !error && !stored.has(key(caller, index)));
    const doneYetRefused = records.filter(
      ({ caller, index, error }) => error && stored.has(key(caller, index)),
    );
    expect({ lost: lost.length, doneYetRefused: doneYetRefused.length }).toEqual({
      lost: 0,
      doneYetRefused: 0,
    });
    expect(stored.size).toBe(records.length - failures.length);
  });

  it('serves those that had connected before it was told, though it had not accepted them yet', async () => {
    await using concord = await runConcord(PATIENT);
    concord.signal('SIGSTOP');
    const sockets = await Promise.all(Array.from({ length: 50 }, (_, i) => sendPut(concord.url, `k${i}`)));
    const answers = Promise.all(sockets.map(statusLineOf));
    concord.signal('SIGTERM');
    concord.signal('SIGCONT');
    expect(await concord.exited).toEqual({ code: 0, signal: null });
    expect((await answers).filter((statusLine) => statusLine !== 'HTTP/1.1 200 OK')).toEqual([]);
  });

  it('ends a stream as unavailable, and is gone without waiting for its time-out', async () => {
    await using concord = await runConcord(PATIENT);
    const health = createClient(Health, createGrpcTransport({ baseUrl: concord.url }));
    const updates = health.watch({})[Symbol.asyncIterator]();
    expect((await updates.next()).done).toBe(false);
    concord.signal('SIGTERM');
    const end = failureOf(
      (async () => {
        while (!(await updates.next()).done);
      })(),
    );
    expect(await end).toMatchObject({ code: 'Unavailable', reason: 'SHUTTING_DOWN', hasRetryInfo: true });
    expect(await concord.exited).toEqual({ code: 0, signal: null });
  });

  it('takes a signal that comes in pairs as one, as Ctrl-C does where a process passes it on to another', async () => {
    await using concord = await runConcord(PATIENT);
    const health = createClient(Health, createGrpcTransport({ baseUrl: concord.url }));
    const updates = health.watch({})[Symbol.asyncIterator]();
    await updates.next();
    concord.signal('SIGINT');
    await eventually(() => expect(concord.stderr).toContain('stopping'));
    concord.signal('SIGINT');
    concord.signal('SIGTERM');
    expect(await concord.exited).toEqual({ code: 0, signal: null });
  });

  it('ends at once, with code 1, when it is told so again later', async () => {
    await using concord = await runConcord(PATIENT);
    // A connection that has begun a request keeps a drain waiting.
    const stuck = fetch(`${concord.url}/concord.kv.v1.KvService/Put`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode('{')) }),
      duplex: 'half',
    }).catch(() => undefined);
    await eventually(async () =>
      expect(await (await fetch(`${concord.url}/metrics`)).text()).toMatch(/^concord_connections [2-9]/m),
    );
    concord.signal('SIGTERM');
    await eventually(() => expect(concord.stderr).toContain('draining'));
    // What comes within a second of the first counts as the same.
    await delay(1_500);
    concord.signal('SIGTERM');
    expect(await concord.exited).toEqual({ code: 1, signal: null });
    await stuck;
  });
});

/** Connects, and resolves when the system has taken a request, be it read by the gateway or not. */
function sendPut(url: string, key: string): Promise<Socket> {
  const body = JSON.stringify({ key });
  const head = [
    `POST ${PUT.path} HTTP/1.1`,
    'host: x',
    'content-type: application/json',
    `content-length: ${body.length}`,
  ];
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.once('error', reject);
    socket.write(`${head.join('\r\n')}\r\n\r\n${body}`, () => resolve(socket));
  });
}

/** The first line of what is answered, or how the connection failed. */
async function statusLineOf(socket: Socket): Promise<string> {
  try {
    for await (const chunk of socket) return String(chunk).split('\r\n')[0] ?? '';
    return 'closed without an answer';
  } catch (error) {
    return String(error);
  }
}

/** Says in words what a failure is: refused before anything was done for it, or what else it is. */
function kindOf(error: ConnectError): string {
  if (error.code === Code.Unavailable) return 'refused';
  // What connect-node makes of a stream that was not processed (RFC 9113, 8.7), where it does not call it unavailable.
  if (/NGHTTP2_REFUSED_STREAM/.test(error.rawMessage)) return 'refused';
  // Sent on an HTTP/1.1 connection that was closed meanwhile, since nothing had come for a while, or that no worker had taken yet: it
  // was not read.
  if (/ECONNRESET|EPIPE|socket hang up/.test(error.rawMessage)) return 'refused';
  return String(error);
}

/** Writes keys on behalf of many callers. */
interface Writers extends AsyncDisposable {
  put(caller: number, key: string): Promise<unknown>;
}

/** Four connections, each with a quarter of the callers. */
function openGrpcWriters(baseUrl: string): Writers {
  const clients = Array.from({ length: CONNECTIONS }, () => openKvClient(baseUrl));
  return {
    put: async (caller, key) => clients[caller % CONNECTIONS]?.put({ key, value: 'x' }, CALL_OPTIONS),
    async [Symbol.asyncDispose]() {},
  };
}

/** The same, by the client library that most Node.js programs speak gRPC with. */
function openGrpcJsWriters(baseUrl: string): Writers {
  // Channels with the same options would share one connection.
  const clients = Array.from(
    { length: CONNECTIONS },
    (_, id) => new Client(new URL(baseUrl).host, credentials.createInsecure(), { id }),
  );
  const { path, serialize, deserialize } = PUT;
  return {
    put: (caller, key) =>
      new Promise((resolve, reject) => {
        const request = create(PutRequestSchema, { key, value: 'x' });
        const options = { deadline: Date.now() + CALL_OPTIONS.timeoutMs };
        clients[caller % CONNECTIONS]?.makeUnaryRequest(
          path,
          serialize,
          deserialize,
          request,
          options,
          (error, answer) =>
            error === null ? resolve(answer) : reject(new ConnectError(error.details, Number(error.code))),
        );
      }),
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.close();
    },
  };
}

/** A connection for each caller, used again and again. */
function openConnectWriters(baseUrl: string): Writers {
  const agent = new Agent({ keepAlive: true, maxSockets: 1_000 });
  const kv = createClient(
    KvService,
    createConnectTransport({ baseUrl, httpVersion: '1.1', nodeOptions: { agent } }),
  );
  return {
    put: (_, key) => kv.put({ key, value: 'x' }, CALL_OPTIONS),
    async [Symbol.asyncDispose]() {
      agent.destroy();
    },
  };
}
