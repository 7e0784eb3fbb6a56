import { randomUUID } from 'node:crypto';
import { createServer, type Server, Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { DomainError } from '../../../src/domain/errors.ts';
import { singleKey } from '../../../src/domain/key-range.ts';
import type { KeyValueStore, Txn } from '../../../src/domain/store.ts';
import { openEtcd } from '../../../src/etcd/open-etcd.ts';
import { eventually } from '../../support/eventually.ts';
import { startEtcd } from '../../support/start-etcd.ts';

const signal = () => AbortSignal.timeout(30_000);
const bytes = (text: string) => new TextEncoder().encode(text);

describe('the etcd adapter', () => {
  it('stops waiting when the caller does, with the reason of its signal', async () => {
    await using etcd = await startEtcd();
    // Of the two that may end it, only the signal does: the other would take far longer than the test may.
    await using adapter = openEtcd({ endpoints: [etcd.endpoint], times: { callTimeoutMs: 600_000 } });
    await readKey(adapter.store, 'warm', signal());
    etcd.pause();
    const reason = new Error('no longer wanted');
    // One that is busy may answer once more before it stands still.
    await eventually(() => expect(readKey(adapter.store, 'k', abortAfter(150, reason))).rejects.toBe(reason));
    etcd.resume();
    await readKey(adapter.store, 'k', signal());
  });

  it('calls a store that does not answer unavailable, and a write to it of unknown outcome', async () => {
    await using etcd = await startEtcd();
    await using adapter = openEtcd({ endpoints: [etcd.endpoint], times: { callTimeoutMs: 1_000 } });
    await eventually(() => readKey(adapter.store, 'warm', signal()));
    etcd.pause();
    expect(await reasonOf(readKey(adapter.store, 'k', signal()))).toBe('STORE_UNAVAILABLE');
    expect(await reasonOf(adapter.store.txn(put('k'), { signal: signal() }))).toBe('OUTCOME_UNKNOWN');
    etcd.resume();
    await etcd.kill();
    expect(await reasonOf(readKey(adapter.store, 'k', signal()))).toBe('STORE_UNAVAILABLE');
  });

  it('does not repeat a write whose answer was lost', async () => {
    await using etcd = await startEtcd();
    await using proxy = await startAnswerDroppingProxy(etcd.port);
    await using direct = openEtcd({ endpoints: [etcd.endpoint] });
    await using adapter = openEtcd({ endpoints: [`http://127.0.0.1:${proxy.port}`] });
    await readKey(adapter.store, 'warm', signal());
    const key = randomUUID();
    proxy.dropNextAnswer();
    expect(await reasonOf(adapter.store.txn(put(key), { signal: signal() }))).toBe('OUTCOME_UNKNOWN');
    const { kvs } = await direct.store.read(
      { kind: 'read', range: singleKey(bytes(key)) },
      { signal: signal() },
    );
    expect(kvs).toMatchObject([{ version: 1n }]);
  });

  it('keeps its connection when a call is canceled', async () => {
    await using etcd = await startEtcd();
    await using proxy = await startAnswerDroppingProxy(etcd.port);
    await using adapter = openEtcd({ endpoints: [`http://127.0.0.1:${proxy.port}`] });
    await readKey(adapter.store, 'warm', signal());
    for (let i = 0; i < 50; i++) {
      const controller = new AbortController();
      const call = readKey(adapter.store, 'k', controller.signal);
      controller.abort(new Error('canceled'));
      await expect(call).rejects.toThrow('canceled');
    }
    await readKey(adapter.store, 'k', signal());
    expect(proxy.connections).toBe(1);
  });

  it('maps what etcd refuses to a reason', async () => {
    await using etcd = await startEtcd();
    await using adapter = openEtcd({ endpoints: [etcd.endpoint] });
    const { store, leases } = adapter;
    const options = { signal: signal() };
    const many = Array.from(
      { length: 129 },
      (_, i) => ({ kind: 'put', key: bytes(`${i}`), value: bytes('') }) as const,
    );
    const twice = many.slice(0, 1).flatMap((operation) => [operation, operation]);
    const cases: readonly (readonly [() => Promise<unknown>, string])[] = [
      [() => leases.revoke(42n, options), 'LEASE_NOT_FOUND'],
      [() => store.txn({ ...put('k'), success: many }, options), 'TOO_MANY_OPERATIONS'],
      [() => store.txn({ ...put('k'), success: twice }, options), 'KEY_DUPLICATE'],
      [() => store.txn(put('k', new Uint8Array(1_600_000)), options), 'REQUEST_TOO_LARGE'],
      [() => store.txn(put('k', new Uint8Array(3_000_000)), options), 'REQUEST_TOO_LARGE'],
      [
        () => store.read({ kind: 'read', range: singleKey(bytes('k')), revision: 1_000_000n }, options),
        'REVISION_IN_FUTURE',
      ],
    ];
    for (const [call, reason] of cases) expect(await reasonOf(call())).toBe(reason);
  });

  it('says so when etcd has no space left, and reads on', async () => {
    await using etcd = await startEtcd({ args: ['--quota-backend-bytes=1000000'] });
    await using adapter = openEtcd({ endpoints: [etcd.endpoint] });
    const options = { signal: signal() };
    let reason = '';
    for (let i = 0; i < 500 && reason === ''; i++) {
      reason = await reasonOf(adapter.store.txn(put(`k${i}`, new Uint8Array(100_000)), options));
    }
    expect(reason).toBe('STORE_SPACE_EXCEEDED');
    expect((await readKey(adapter.store, 'k0', signal())).kvs).toHaveLength(1);
  });
});

function readKey(store: KeyValueStore, key: string, signal: AbortSignal) {
  return store.read({ kind: 'read', range: singleKey(bytes(key)) }, { signal });
}

function put(key: string, value: Uint8Array = bytes('v')): Txn {
  return { kind: 'txn', compares: [], success: [{ kind: 'put', key: bytes(key), value }], failure: [] };
}

/** The reason of a failure, or nothing where the call succeeds. */
async function reasonOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return '';
  } catch (error) {
    if (error instanceof DomainError) return error.reason;
    throw error;
  }
}

function abortAfter(ms: number, reason: Error): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), ms).unref();
  return controller.signal;
}

/** A TCP proxy that can swallow what the server says next, and cut the connection in its stead. */
async function startAnswerDroppingProxy(targetPort: number) {
  let isDropping = false;
  let connections = 0;
  const sockets = new Set<Socket>();
  const server: Server = createServer((client) => {
    connections += 1;
    const upstream = new Socket().connect(targetPort, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream);
    upstream.on('data', (chunk) => {
      // A frame of headers or data is an answer; what is shorter only keeps the connection going.
      if (isDropping && chunk.length > 40) {
        isDropping = false;
        client.destroy();
      } else client.write(chunk);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    get connections() {
      return connections;
    },
    dropNextAnswer() {
      isDropping = true;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
