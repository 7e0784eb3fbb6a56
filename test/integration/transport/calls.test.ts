import { request as requestHttp1 } from 'node:http';
import { connect as connectHttp2, constants } from 'node:http2';
import { Code, ConnectError } from '@connectrpc/connect';
import { describe, expect, it } from 'vitest';
import { DomainError } from '../../../src/domain/errors.ts';
import { callContextKey } from '../../../src/rpc/checks/call-context.ts';
import { reasonError } from '../../../src/rpc/checks/errors.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { PROTOCOLS_BOTH_WAYS } from '../../support/protocols.ts';
import { envelope } from './raw-http.ts';
import { aborted, startToy, type ToyBehaviour } from './toy-server.ts';

const STREAMING = PROTOCOLS_BOTH_WAYS.filter(({ name }) => !name.includes('GET'));
const CHECK = '/grpc.health.v1.Health/Check';
const WATCH_KV = '/concord.kv.v1.KvService/Watch';
const JSON_HEADERS = { 'content-type': 'application/json' };

describe('a call', () => {
  it('has an id: the caller’s own where it is usable, else one of a kind', async () => {
    const ids: (string | undefined)[] = [];
    await using toy = await startToy({
      check: async (_service, context) => {
        ids.push(context.values.get(callContextKey)?.requestId);
        return { status: 1 };
      },
    });
    const idFor = async (headers: Record<string, string>) => {
      const response = await fetch(toy.baseUrl + CHECK, {
        method: 'POST',
        headers: { ...JSON_HEADERS, ...headers },
        body: '{}',
      });
      return response.headers.get('x-request-id');
    };
    expect(await idFor({ 'x-request-id': 'A-b_c.9' })).toBe('A-b_c.9');
    const made = [
      await idFor({}),
      await idFor({ 'x-request-id': 'a b' }),
      await idFor({ 'x-request-id': 'x'.repeat(129) }),
    ];
    expect(new Set(made).size).toBe(3);
    for (const id of made) expect(id).toMatch(/^[\w-]+$/);
    expect(ids).toEqual(['A-b_c.9', ...made]);
    expect(toy.seen.map(({ call }) => call.requestId)).toEqual(ids);
  });

  it.each(PROTOCOLS_BOTH_WAYS)('is reported once, with what it is, over $name', async (protocol) => {
    await using toy = await startToy();
    await toy.health(protocol).check({});
    const [seen] = toy.seen;
    expect(seen?.call).toMatchObject({
      peer: '127.0.0.1',
      method: { name: 'Check', parent: { typeName: 'grpc.health.v1.Health' } },
    });
    expect(protocol.name.toLowerCase()).toMatch(new RegExp(`^${seen?.call.protocol}`));
    expect(Math.abs(performance.now() - (seen?.call.startMs ?? 0))).toBeLessThan(50_000);
    await eventually(() =>
      expect(seen?.outcomes).toEqual([{ code: undefined, reason: undefined, error: undefined }]),
    );
  });

  it.each(PROTOCOLS_BOTH_WAYS)(
    'that fails tells the caller and the observer the same, over $name',
    async (protocol) => {
      const fault = new Error('the disk is on fire');
      const thrown: Record<string, unknown> = {
        reason: reasonError('KEY_NOT_FOUND', 'no such key', { key: 'k' }),
        domain: new DomainError('FENCE_LOST', 'the lock is gone', { lock: 'l' }),
        bare: new ConnectError('not now', Code.FailedPrecondition),
        fault,
      };
      const fail = async (service: string) => Promise.reject(thrown[service]);
      await using toy = await startToy({
        check: fail,
        async *watch(service) {
          yield { status: 1 };
          await fail(service);
        },
      });
      const health = toy.health(protocol);
      const expected = [
        ['reason', 'NotFound', 'KEY_NOT_FOUND'],
        ['domain', 'FailedPrecondition', 'FENCE_LOST'],
        ['bare', 'InvalidArgument', 'REQUEST_MALFORMED'],
        ['fault', 'Internal', 'INTERNAL'],
      ] as const;
      for (const [service, code, reason] of expected) {
        for (const call of [() => health.check({ service }), () => drained(health.watch({ service }))]) {
          const failure = await failureOf(call());
          expect(failure).toMatchObject({ code, reason });
          expect(failure.message).not.toContain('fire');
          const outcomes = toy.seen.at(-1)?.outcomes;
          await eventually(() =>
            expect(outcomes?.map((each) => [Code[each.code ?? 0], each.reason])).toEqual([[code, reason]]),
          );
          if (service === 'fault') expect(outcomes?.[0]?.error).toMatchObject({ cause: fault });
        }
      }
    },
  );

  it.each(STREAMING)('is reported once as canceled when the caller leaves, over $name', async (protocol) => {
    const reasons: unknown[] = [];
    const wait: ToyBehaviour['check'] = async (_service, { signal }) => {
      await aborted(signal).catch((reason: unknown) => void reasons.push(reason));
      throw signal.reason;
    };
    let ended = 0;
    await using toy = await startToy({
      check: wait,
      async *watch(service, context) {
        try {
          yield { status: 1 };
          await wait(service, context);
        } finally {
          ended += 1;
        }
      },
    });
    const health = toy.health(protocol);
    const leave = new AbortController();
    const unary = health.check({}, { signal: leave.signal }).catch(() => {});
    const stream = health.watch({}, { signal: leave.signal })[Symbol.asyncIterator]();
    await stream.next();
    await eventually(() => expect(toy.seen).toHaveLength(2));
    expect(toy.seen.flatMap(({ outcomes }) => outcomes)).toEqual([]);
    leave.abort();
    await Promise.all([unary, stream.next().catch(() => {})]);
    await eventually(() => expect(toy.server.stats().calls).toBe(0));
    for (const { outcomes } of toy.seen)
      expect(outcomes).toMatchObject([{ code: Code.Canceled, reason: 'CALL_CANCELED' }]);
    expect(reasons).toEqual([
      expect.objectContaining({ code: Code.Canceled }),
      expect.objectContaining({ code: Code.Canceled }),
    ]);
    expect(ended).toBe(1);
    expect(toy.logged.filter(({ level }) => level !== 'debug')).toEqual([]);
  });

  it('that ended well is not taken for canceled afterwards', async () => {
    const signals: AbortSignal[] = [];
    await using toy = await startToy({
      check: async (_service, { signal }) => {
        signals.push(signal);
        return { status: 1 };
      },
    });
    for (const protocol of PROTOCOLS_BOTH_WAYS) await toy.health(protocol).check({});
    await toy.server.drain();
    // The library aborts every signal in the end, with a reason of its own.
    expect(signals.filter(({ reason }) => reason instanceof ConnectError)).toEqual([]);
    expect(toy.seen.flatMap(({ outcomes }) => outcomes.map(({ code }) => code))).toEqual(
      PROTOCOLS_BOTH_WAYS.map(() => undefined),
    );
  });

  it.each(['HTTP/1.1', 'HTTP/2'])(
    'holds its handler back while the caller does not read, over %s',
    async (version) => {
      const flood = createFlood();
      await using toy = await startToy({ watchKv: flood.watch });
      const leave = version === 'HTTP/2' ? openUnreadHttp2(toy.baseUrl) : openUnreadHttp1(toy.baseUrl);
      let before = -1;
      await eventually(() => {
        const now = flood.count();
        const isStill = now === before && toy.server.stats().streams === 1;
        before = now;
        expect(isStill).toBe(true);
      });
      expect(flood.count()).toBeLessThan(500);
      leave();
      await eventually(() => expect(flood.isFreed()).toBe(true));
      expect(toy.seen[0]?.outcomes).toMatchObject([{ reason: 'CALL_CANCELED' }]);
    },
  );

  it.each(STREAMING)(
    'frees its handler when the caller leaves amid messages, over $name',
    async (protocol) => {
      const flood = createFlood();
      await using toy = await startToy({ watchKv: flood.watch });
      const leave = new AbortController();
      const stream = toy.kv(protocol).watch({}, { signal: leave.signal })[Symbol.asyncIterator]();
      await stream.next();
      leave.abort();
      await eventually(() => expect(flood.isFreed()).toBe(true));
      await eventually(() => expect(toy.server.stats().calls).toBe(0));
      expect(toy.seen[0]?.outcomes).toMatchObject([{ reason: 'CALL_CANCELED' }]);
    },
  );
});

describe('a call over HTTP/1.1', () => {
  it('is reported once as canceled when the connection breaks', async () => {
    await using toy = await startToy({ check: (_service, { signal }) => aborted(signal) });
    const request = requestHttp1(toy.baseUrl + CHECK, { method: 'POST', headers: JSON_HEADERS });
    request.on('error', () => {});
    request.end('{}');
    await eventually(() => expect(toy.seen).toHaveLength(1));
    request.destroy();
    await eventually(() => expect(toy.seen[0]?.outcomes).toMatchObject([{ reason: 'CALL_CANCELED' }]));
  });

  it('is reported once as canceled when the connection breaks within the request', async () => {
    await using toy = await startToy();
    const request = requestHttp1(toy.baseUrl + CHECK, {
      method: 'POST',
      headers: { ...JSON_HEADERS, 'content-length': 100 },
    });
    request.on('error', () => {});
    request.write('{');
    await eventually(() => expect(toy.seen).toHaveLength(1));
    request.destroy();
    await eventually(() => expect(toy.seen[0]?.outcomes).toMatchObject([{ reason: 'CALL_CANCELED' }]));
    await eventually(() => expect(toy.server.stats().calls).toBe(0));
  });
});

async function drained(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream);
}

/** A stream of messages of 64 KiB, one after the other as fast as they are taken. */
function createFlood() {
  let count = 0;
  let isFreed = false;
  async function* watch(): AsyncGenerator<{ readonly resumeToken: string }> {
    try {
      for (; count < 100_000; count++) yield { resumeToken: 'x'.repeat(64 * 1024) };
    } finally {
      isFreed = true;
    }
  }
  return { watch, count: () => count, isFreed: () => isFreed };
}

/** Begins to watch, reads nothing, and returns how to leave. */
function openUnreadHttp1(baseUrl: string): () => void {
  const request = requestHttp1(baseUrl + WATCH_KV, {
    method: 'POST',
    headers: { 'content-type': 'application/grpc-web' },
  });
  request.on('response', (response) => response.on('error', () => {}));
  request.on('error', () => {});
  request.end(envelope(Buffer.alloc(0)));
  return () => void request.destroy();
}

function openUnreadHttp2(baseUrl: string): () => void {
  const session = connectHttp2(baseUrl);
  const stream = session.request({
    ':method': 'POST',
    ':path': WATCH_KV,
    'content-type': 'application/grpc',
  });
  stream.on('error', () => {});
  stream.end(envelope(Buffer.alloc(0)));
  return () => void stream.close(constants.NGHTTP2_CANCEL, () => session.destroy());
}
