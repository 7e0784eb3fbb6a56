import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { findGrpcurl } from '../../support/find-grpcurl.ts';
import { findPythonGrpc } from '../../support/find-python-grpc.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { openTempDir } from '../../support/open-temp-dir.ts';
import { outputOf } from '../../support/run-program.ts';
import type { TestGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';

const BUF = fileURLToPath(new URL('../../../node_modules/.bin/buf', import.meta.url));
const PROTO = fileURLToPath(new URL('../../../proto', import.meta.url));
const PYTHON_CLIENT = fileURLToPath(new URL('fixture/hold_client.py', import.meta.url));
const RPC = 'concord.lease.v1.LeaseService/Hold';
const REQUEST = '{"ttl":"2s"}';

const grpcurl = await findGrpcurl();
const python = await findPythonGrpc();

let gateway: TestGateway;
let clients: Clients;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
  clients = openClients(gateway.url);
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

/** Has a program hold a lease; resolves once it has printed several messages, which it is held by. */
async function startHolding(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    // In a process group of its own: that is what Ctrl-C ends in a terminal, with whatever the program has started.
    detached: true,
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${program} cannot be started`);
  const exited = once(child, 'exit');
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const end = async (signal: NodeJS.Signals) => {
    process.kill(-pid, signal);
    await exited;
  };
  try {
    const leaseId = await eventually(() => {
      const ids = [...output.matchAll(/"leaseId":\s*"(\d+)"/g)].map(([, id]) => id);
      expect(ids.length, output).toBeGreaterThanOrEqual(4);
      expect(new Set(ids).size).toBe(1);
      return BigInt(ids[0] ?? 0);
    }, 30_000);
    return { leaseId, end };
  } catch (error) {
    await end('SIGKILL');
    throw error;
  }
}

/** Holds a lease with a program, and asserts that it lives as long as the program does. */
async function livesAsLongAs(signal: NodeJS.Signals, ...program: Parameters<typeof startHolding>) {
  const { leaseId, end } = await startHolding(...program);
  try {
    expect(await clients.leases.get({ leaseId })).toMatchObject({ leaseId, held: true });
  } finally {
    await end(signal);
  }
  await eventually(async () => {
    expect(await failureOf(clients.leases.get({ leaseId }))).toMatchObject({ reason: 'LEASE_NOT_FOUND' });
    expect(gateway.app.stats().sessions).toBe(0);
  });
}

describe.each(['SIGINT', 'SIGKILL'] as const)('a Hold whose program is ended by %s', (signal) => {
  it.each(['grpc', 'grpcweb', 'connect'])('ends with buf curl over %s', async (protocol) => {
    const flags = ['curl', '--protocol', protocol, '--http2-prior-knowledge', '-d', REQUEST];
    await livesAsLongAs(signal, BUF, [...flags, `${gateway.url}/${RPC}`]);
  });

  if (grpcurl.kind === 'missing') {
    it(`is not tested with grpcurl here: ${grpcurl.why}`, () => expect(grpcurl.why).not.toBe(''));
  } else {
    it('ends with grpcurl', async () => {
      const flags = ['-plaintext', '-d', REQUEST];
      await livesAsLongAs(signal, grpcurl.path, [...flags, `127.0.0.1:${gateway.port}`, RPC]);
    });
  }

  if (python.kind === 'missing') {
    it(`is not tested with Python here: ${python.why}`, () => expect(python.why).not.toBe(''));
  } else {
    it('ends with a Python client made from proto/ alone', async () => {
      await using temp = await openTempDir();
      const flags = [`-I${PROTO}`, `--python_out=${temp.path}`, `--grpc_python_out=${temp.path}`];
      const files = globSync('**/*.proto', { cwd: PROTO });
      await outputOf(python.path, ['-m', 'grpc_tools.protoc', ...flags, ...files]);
      const env = { PYTHONPATH: temp.path, PYTHONDONTWRITEBYTECODE: '1' };
      await livesAsLongAs(signal, python.path, [PYTHON_CLIENT, `127.0.0.1:${gateway.port}`], env);
    }, 60_000);
  }
});
