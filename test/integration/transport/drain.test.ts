import { Agent, request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { Code, createClient, type HandlerContext } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node';
import { describe, expect, it } from 'vitest';
import { Health } from '../../../gen/grpc/health/v1/health_pb.ts';
import { reasonError } from '../../../src/rpc/checks/errors.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { PROTOCOLS_BOTH_WAYS } from '../../support/protocols.ts';
import { openRawSocket } from './raw-http.ts';
import { aborted, startToy, type Toy } from './toy-server.ts';

const STREAMING = PROTOCOLS_BOTH_WAYS.filter(({ name }) => !name.includes('GET'));
const CHECK = '/grpc.health.v1.Health/Check';
/** So long that no drain ends by its time-out. */
const PATIENT = { drainTimeoutMs: 120_000 };

describe('a drain', () => {
  it.each(STREAMING)(
    'ends streams as SHUTTING_DOWN and lets unary calls finish, over $name',
    async (protocol) => {
      const { promise: released, resolve: release } = Promise.withResolvers<void>();
      await using toy = await startToy(
        {
          check: async (_service, { signal }) => {
            await released;
            signal.throwIfAborted();
            return { status: 1 };
          },
        },
        PATIENT,
      );
      const health = toy.health(protocol);
      const stream = health.watch({})[Symbol.asyncIterator]();
      await stream.next();
      const unary = health.check({});
      await eventually(() => expect(toy.server.stats().calls).toBe(2));

      const drained = toy.server.drain();
      expect(await failureOf(stream.next())).toMatchObject({
        code: 'Unavailable',
        reason: 'SHUTTING_DOWN',
        hasRetryInfo: true,
      });
      expect(toy.server.stats().calls).toBe(1);
      release();
      expect((await unary).status).toBe(1);
      await drained;
      expect(toy.seen.map(({ outcomes }) => outcomes.map(({ reason }) => reason))).toEqual([
        ['SHUTTING_DOWN'],
        [undefined],
      ]);
      expect(toy.server.stats()).toMatchObject({ connections: 0, calls: 0, streams: 0 });
    },
  );

  it.each([
    ['returns', async () => {}, 'SHUTTING_DOWN'],
    ['throws something else', async () => Promise.reject(new Error('aborted')), 'SHUTTING_DOWN'],
    [
      'has more to say',
      async () => Promise.reject(reasonError('WATCH_TOO_SLOW', 'too slow')),
      'WATCH_TOO_SLOW',
    ],
  ])('ends a stream whose handler %s', async (_name, end, reason) => {
    const watch = async function* (_service: string, { signal }: HandlerContext) {
      yield { status: 1 } as const;
      await aborted(signal).catch(end);
    };
    await using toy = await startToy({ watch }, PATIENT);
    const stream = toy.health(grpc()).watch({})[Symbol.asyncIterator]();
    await stream.next();
    const drained = toy.server.drain();
    expect(await failureOf(stream.next())).toMatchObject({ reason });
    await drained;
  });

  it('can be asked for twice, and refuses new connections', async () => {
    await using toy = await startToy();
    expect(toy.server.drain()).toBe(toy.server.drain());
    await toy.server[Symbol.asyncDispose]();
    await expect(fetch(toy.baseUrl)).rejects.toThrow();
  });

  it('cuts what still runs after its time-out, and tells of a call that may have written that its outcome is unknown', async () => {
    const reasons: unknown[] = [];
    await using toy = await startToy(
      {
        check: (_service, { signal }) =>
          aborted(signal).catch((reason: unknown) => Promise.reject(void reasons.push(reason))),
      },
      { drainTimeoutMs: 50 },
    );
    const calls = [grpc(), http1()].map((protocol) =>
      toy
        .health(protocol)
        .check({})
        .catch((error: unknown) => error),
    );
    await eventually(() => expect(toy.server.stats().calls).toBe(2));
    await toy.server.drain();
    for (const call of calls)
      expect(await failureOf(Promise.reject(await call))).toMatchObject({ reason: 'OUTCOME_UNKNOWN' });
    expect(reasons).toEqual(Array(2).fill(expect.objectContaining({ code: Code.Unavailable })));
    await eventually(() =>
      expect(toy.seen.map(({ outcomes }) => outcomes.map(({ reason }) => reason))).toEqual([
        ['OUTCOME_UNKNOWN'],
        ['OUTCOME_UNKNOWN'],
      ]),
    );
    expect(toy.logged.filter(({ level }) => level === 'warn')).toHaveLength(1);
  });

  it('closes idle connections and those that have not said what they speak, and does not wait for its time-out', async () => {
    await using toy = await startToy({}, PATIENT);
    using mute = await openRawSocket(toy.port);
    using idle = await openRawSocket(toy.port);
    idle.send(`GET /none HTTP/1.1\r\nHost: x\r\n\r\n`);
    await idle.sees('404');
    const session = connectHttp2(toy.baseUrl);
    await new Promise((resolve) => session.once('remoteSettings', resolve));
    await toy.server.drain();
    await Promise.all([mute.closed, idle.closed]);
    await eventually(() => expect(session.destroyed || session.closed).toBe(true));
  });

  it('lets the next answer on a keep-alive connection be the last', async () => {
    await using toy = await startToy({}, PATIENT);
    using client = await openRawSocket(toy.port);
    client.send('GET /one HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(await client.sees('/one')).not.toMatch(/connection: close/i);
    const drained = toy.server.drain();
    await eventually(() => expect(openRawSocket(toy.port)).rejects.toThrow());
    client.send('GET /two HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(await client.closed).toMatch(/connection: close.*\/two/is);
    await drained;
  });
});

describe('a drain under load', { timeout: 240_000 }, () => {
  it('loses no call on pooled keep-alive connections', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 50 });
    await expectNoneLost((toy) => () => postHttp1(toy, agent));
    agent.destroy();
  });

  it('loses no call of gRPC', async () => {
    await expectNoneLost(({ baseUrl }) => {
      const clients = Array.from({ length: 4 }, () => createClient(Health, createGrpcTransport({ baseUrl })));
      let next = 0;
      return async () => {
        next += 1;
        await clients[next % clients.length]?.check({});
      };
    });
  });

  it('loses no call of Connect over HTTP/2 and HTTP/1.1', async () => {
    await expectNoneLost(({ baseUrl }) => {
      const clients = (['2', '1.1'] as const).map((httpVersion) =>
        createClient(Health, createConnectTransport({ baseUrl, httpVersion })),
      );
      let next = 0;
      return async () => {
        next += 1;
        await clients[next % clients.length]?.check({});
      };
    });
  });
});

/** Keeps 200 callers calling while a server drains: what a handler was given must reach its caller as an answer. */
async function expectNoneLost(open: (toy: Toy) => () => Promise<void>): Promise<void> {
  let handled = 0;
  let answered = 0;
  const refusals: unknown[] = [];
  await using toy = await startToy(
    {
      check: async () => {
        handled += 1;
        await new Promise((resolve) => setTimeout(resolve, handled % 7));
        return { status: 1 };
      },
    },
    PATIENT,
  );
  const call = open(toy);
  const callers = Array.from({ length: 200 }, async () => {
    for (;;) {
      try {
        await call();
        answered += 1;
      } catch (error) {
        refusals.push(error);
        return;
      }
    }
  });
  await eventually(() => expect(answered).toBeGreaterThan(500));
  await toy.server.drain();
  await Promise.all(callers);
  // A call that was cut off before its request was whole has an outcome too, but was not handled.
  const succeeded = toy.seen.filter(({ outcomes }) =>
    outcomes.every(({ code }) => code === undefined),
  ).length;
  expect({ handled, succeeded }).toEqual({ handled: answered, succeeded: answered });
  expect(refusals).toHaveLength(200);
  const kinds = new Set(refusals.map((error) => (error instanceof Error ? error.message : String(error))));
  // ECONNRESET: the kernel had accepted the connection, the server not yet.
  for (const kind of kinds) expect(kind).toMatch(/ECONNREFUSED|GOAWAY|REFUSED_STREAM|ECONNRESET/);
}

function postHttp1({ port }: Toy, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': 2 };
    const sent = request(
      { host: '127.0.0.1', port, path: CHECK, method: 'POST', headers, agent },
      (response) => {
        response.resume();
        response.on('error', reject);
        response.on('end', () =>
          response.statusCode === 200 ? resolve() : reject(new Error(`HTTP ${response.statusCode}`)),
        );
      },
    );
    sent.on('error', reject);
    sent.end('{}');
  });
}

function grpc() {
  return protocolNamed('gRPC');
}

function http1() {
  return protocolNamed('Connect, JSON, HTTP/1.1');
}

function protocolNamed(wanted: string) {
  const protocol = PROTOCOLS_BOTH_WAYS.find(({ name }) => name === wanted);
  if (protocol === undefined) throw new Error(`no protocol ${wanted}`);
  return protocol;
}
